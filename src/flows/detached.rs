//! Work that is finished once it is begun.

/// Starts this work at once in a task of its own, which continues even if the caller goes away; `crashed` is the
/// result if it panics. The caller keeps only the task's handle, not the memory of the work's future.
pub(super) fn detached<T: 'static, E: 'static>(
    work: impl Future<Output = Result<T, E>> + 'static,
    crashed: E,
) -> impl Future<Output = Result<T, E>> {
    let finished = tokio::task::spawn_local(work);
    async move { finished.await.unwrap_or(Err(crashed)) }
}

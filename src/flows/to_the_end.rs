//! Work that is finished once it is begun.

/// Begins this work at once, in a task of its own, which goes on when whoever waits for it goes away; `crashed` is the
/// answer where it panics. Whoever waits holds the task's handle alone, not the room of what it stands for.
pub(super) fn to_the_end<T: 'static, E: 'static>(
    work: impl Future<Output = Result<T, E>> + 'static,
    crashed: E,
) -> impl Future<Output = Result<T, E>> {
    let finished = tokio::task::spawn_local(work);
    async move { finished.await.unwrap_or(Err(crashed)) }
}

//! Work that is finished once it is begun.

use futures_util::FutureExt;
use std::fmt::Display;
use tokio::sync::oneshot;

/// Starts this work at once in a task of its own, which continues even if the caller goes away; `crashed` is the
/// result if it panics. The caller keeps only a channel, not the memory of the work's future. A failure that nobody
/// waits for any more is logged here, with the id of the request.
pub(super) fn detached<T: 'static, E: Display + 'static>(
    work: impl Future<Output = Result<T, E>> + 'static,
    crashed: E,
    request_id: String,
) -> impl Future<Output = Result<T, E>> {
    let (tell, told) = oneshot::channel();
    // Not a block that awaits the work: it would hold the work's future twice.
    tokio::task::spawn_local(work.map(move |result| {
        if let Err(Err(error)) = tell.send(result) {
            let request_id = request_id.as_str();
            log::warn!(request_id; "a request failed whose client had gone: {error} (request {request_id})");
        }
    }));
    async move { told.await.unwrap_or(Err(crashed)) }
}

//! Waits for a session's end to reach another node.

use super::TestApp;
use std::time::{Duration, Instant};

/// How long the other nodes may take.
const A_SECOND: Duration = Duration::from_secs(1);

/// Waits until this node regards an access token's session as ended; a second at most.
pub async fn await_revoked(node: &TestApp, token: &str) {
    let began = Instant::now();
    loop {
        let answer = node.me(token).await;
        if answer.status.as_u16() == 401 {
            answer.problem(401, "token_revoked");
            return;
        }
        assert!(began.elapsed() < A_SECOND, "this node still lets the ended session in");
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
}

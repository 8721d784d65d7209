//! The access log, one line per request.

use super::problem::ErrorCode;
use super::request_id::RequestId;
use super::state::HttpState;
use actix_web::body::BoxBody;
use actix_web::dev::ServiceResponse;
use actix_web::http::Method;
use std::fmt::Write;
use std::net::{IpAddr, Ipv4Addr};
use std::time::Instant;

/// Logs an answered request. The path is the route's pattern, because a client may put somebody's secret into a
/// path or a query.
pub(super) fn log_line(
    response: &ServiceResponse<BoxBody>,
    id: &RequestId,
    code: Option<ErrorCode>,
    began: Instant,
) {
    if !log::log_enabled!(target: "weauth::access", log::Level::Info) {
        return;
    }
    let request = response.request();
    // Without an error and without path parameters, the path is the pattern.
    let is_fixed = code.is_none() && request.match_info().is_empty();
    let pattern = if is_fixed { None } else { Some(request.match_pattern()) };
    let route = match &pattern {
        None => request.path(),
        Some(pattern) => pattern.as_deref().unwrap_or("(no route)"),
    };
    let tenths = began.elapsed().as_micros() as u64 / 100;
    // A request that was refused before it reached its scope has no state yet.
    let ip = request.app_data::<HttpState>().and_then(|state| state.client_ip(request));
    let ip = ip.unwrap_or(IpAddr::V4(Ipv4Addr::UNSPECIFIED));
    let (method, code) = (known_method(request.method()), code.map(ErrorCode::as_str));
    let line = line_of([method, route, response.status().as_str()], code, tenths, ip, id.as_str());
    log::info!(
        target: "weauth::access",
        method,
        path = route,
        status = response.status().as_u16(),
        code,
        duration_ms = tenths as f64 / 10.0,
        ip:% = ip,
        request_id = id.as_str();
        "{line}"
    );
}

/// The line for people, assembled by hand: the logger examines each piece separately, and formatting is slow.
fn line_of(parts: [&str; 3], code: Option<&str>, tenths: u64, ip: IpAddr, id: &str) -> String {
    let [method, route, status] = parts;
    let mut line = String::with_capacity(160);
    line.extend([method, " ", route, " ", status]);
    if let Some(code) = code {
        line.extend([" ", code]);
    }
    line.push(' ');
    push_number(&mut line, tenths / 10);
    line.push('.');
    push_number(&mut line, tenths % 10);
    line.push_str("ms ");
    push_address(&mut line, ip);
    line.extend([" ", id]);
    line
}

/// A method that HTTP does not define is a client's text too, and may be long.
fn known_method(method: &Method) -> &str {
    match *method {
        Method::GET
        | Method::POST
        | Method::DELETE
        | Method::HEAD
        | Method::OPTIONS
        | Method::PUT
        | Method::PATCH
        | Method::TRACE
        | Method::CONNECT => method.as_str(),
        _ => "(another)",
    }
}

fn push_number(line: &mut String, number: u64) {
    if number >= 10 {
        push_number(line, number / 10);
    }
    line.push(char::from(b'0' + (number % 10) as u8));
}

fn push_address(line: &mut String, ip: IpAddr) {
    match ip {
        IpAddr::V4(ip) => {
            let [first, rest @ ..] = ip.octets();
            push_number(line, first.into());
            for octet in rest {
                line.push('.');
                push_number(line, octet.into());
            }
        }
        // Writing into a string never fails.
        IpAddr::V6(ip) => _ = write!(line, "{ip}"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_and_addresses_are_written_as_the_formatter_writes_them() {
        for number in [0, 7, 10, 99, 100, 12_345, u64::MAX] {
            let mut line = String::new();
            push_number(&mut line, number);
            assert_eq!(line, number.to_string());
        }
        for ip in ["127.0.0.1", "10.0.200.255", "::1", "2001:db8::1"] {
            let mut line = String::new();
            push_address(&mut line, ip.parse().unwrap());
            assert_eq!(line, ip);
        }
    }
}

//! The demo page of `weauth dev`: acts as a mini-program against this server and the simulated WeChat.
//!
//! The page is plain HTML, CSS and ES modules, embedded in the binary and served unchanged from `page/`.

use super::routes::answering_get;
use actix_web::{HttpResponse, http::header, web};

/// Allows only the page's own files and its calls to this origin.
const CONTENT_SECURITY_POLICY: &str = "default-src 'none'; script-src 'self'; style-src 'self'; \
     connect-src 'self'; img-src 'self' data:; base-uri 'none'; form-action 'none'; frame-ancestors 'none'";

const HTML: &str = "text/html; charset=utf-8";
const CSS: &str = "text/css; charset=utf-8";
const JAVASCRIPT: &str = "text/javascript; charset=utf-8";

/// An embedded file: its path, content type and text.
struct Page {
    path: &'static str,
    content_type: &'static str,
    text: &'static str,
}

const PAGES: [Page; 9] = [
    Page { path: "/demo", content_type: HTML, text: include_str!("page/index.html") },
    Page { path: "/demo/demo.css", content_type: CSS, text: include_str!("page/demo.css") },
    Page { path: "/demo/demo.js", content_type: JAVASCRIPT, text: include_str!("page/demo.js") },
    Page { path: "/demo/acts.js", content_type: JAVASCRIPT, text: include_str!("page/acts.js") },
    Page { path: "/demo/api.js", content_type: JAVASCRIPT, text: include_str!("page/api.js") },
    Page { path: "/demo/flow.js", content_type: JAVASCRIPT, text: include_str!("page/flow.js") },
    Page { path: "/demo/texts.js", content_type: JAVASCRIPT, text: include_str!("page/texts.js") },
    Page { path: "/demo/token.js", content_type: JAVASCRIPT, text: include_str!("page/token.js") },
    Page { path: "/demo/wire.js", content_type: JAVASCRIPT, text: include_str!("page/wire.js") },
];

impl Page {
    fn answer(&self) -> HttpResponse {
        HttpResponse::Ok()
            .insert_header((header::CONTENT_TYPE, self.content_type))
            .insert_header((header::CONTENT_SECURITY_POLICY, CONTENT_SECURITY_POLICY))
            .insert_header((header::X_CONTENT_TYPE_OPTIONS, "nosniff"))
            .insert_header((header::REFERRER_POLICY, "no-referrer"))
            .insert_header((header::CACHE_CONTROL, "no-cache"))
            .body(self.text)
    }
}

/// Serves the demo page at `/demo` and its files below it.
pub fn routes(cfg: &mut web::ServiceConfig) {
    for page in &PAGES {
        let answer = web::route().to(move || async { page.answer() });
        cfg.service(answering_get(web::resource(page.path), answer));
    }
}

#[cfg(test)]
mod tests {
    use actix_web::{
        App,
        http::{Method, StatusCode},
        test::{TestRequest, call_service, init_service, read_body},
    };

    use super::*;

    #[actix_web::test]
    async fn every_file_has_its_type_and_the_strict_headers() {
        let app = init_service(App::new().configure(routes)).await;
        for page in &PAGES {
            let request = TestRequest::get().uri(page.path).to_request();
            let response = call_service(&app, request).await;

            assert_eq!(response.status(), StatusCode::OK, "{}", page.path);
            let header =
                |name| response.headers().get(name).and_then(|value| value.to_str().ok()).unwrap_or_default();
            assert_eq!(header(header::CONTENT_TYPE), page.content_type, "{}", page.path);
            assert_eq!(header(header::X_CONTENT_TYPE_OPTIONS), "nosniff");
            assert_eq!(header(header::REFERRER_POLICY), "no-referrer");
            assert_eq!(header(header::CACHE_CONTROL), "no-cache");
            let policy = header(header::CONTENT_SECURITY_POLICY);
            assert!(
                policy.starts_with("default-src 'none'; script-src 'self'; style-src 'self'; connect-src")
            );
            assert!(!policy.contains("unsafe") && !policy.contains("  "), "{policy}");
            assert_eq!(read_body(response).await, page.text);
        }
    }

    #[actix_web::test]
    async fn nothing_but_the_files_is_served_and_only_to_be_read() {
        let app = init_service(App::new().configure(routes)).await;
        for (request, status) in [
            (TestRequest::get().uri("/demo/mod.rs"), StatusCode::NOT_FOUND),
            (TestRequest::default().method(Method::HEAD).uri("/demo"), StatusCode::OK),
            (TestRequest::post().uri("/demo"), StatusCode::METHOD_NOT_ALLOWED),
        ] {
            assert_eq!(call_service(&app, request.to_request()).await.status(), status);
        }
    }

    /// A module that is imported but not listed would break the page in the browser.
    #[test]
    fn every_file_that_the_page_refers_to_is_served() {
        for page in &PAGES {
            for reference in page.text.split('"').filter(|text| text.starts_with("/demo/")) {
                assert!(
                    PAGES.iter().any(|served| served.path == reference),
                    "{} needs {reference}",
                    page.path
                );
            }
        }
    }

    /// The policy forbids them, so they would silently do nothing.
    #[test]
    fn the_page_has_no_inline_script_or_style() {
        let html = include_str!("page/index.html");
        for forbidden in ["style=", "<style", "onclick", "javascript:", "<script>"] {
            assert!(!html.contains(forbidden), "{forbidden}");
        }
        for page in PAGES.iter().filter(|page| page.content_type == JAVASCRIPT) {
            assert!(!page.text.contains("innerHTML") && !page.text.contains("eval("), "{}", page.path);
        }
    }
}

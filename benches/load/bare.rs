//! The baseline: only what the framework, reqwest and a signature cost. `POST /login` calls the simulator through
//! reqwest (one client per worker) and signs with HS256, without a database; `POST /token/refresh` signs; `GET
//! /me` returns JSON.

use actix_web::{App, HttpResponse, HttpServer, web};
use jsonwebtoken::{EncodingKey, Header};
use serde::{Deserialize, Serialize};
use serde_json::json;

#[derive(Deserialize)]
struct Login {
    code: String,
}

#[derive(Deserialize)]
struct Session {
    openid: String,
    session_key: String,
}

#[derive(Serialize)]
struct Claims {
    sub: String,
    exp: u64,
}

struct Bare {
    http: reqwest::Client,
    simulator: String,
    key: EncodingKey,
}

/// Serves until it is killed; prints its address on the first line.
pub(crate) fn serve(simulator: &str) {
    let simulator = simulator.to_owned();
    actix_web::rt::System::new().block_on(async move {
        let app = move || {
            let http = reqwest::Client::builder().no_proxy().tcp_nodelay(true).build().expect("a client");
            let bare = Bare { http, simulator: simulator.clone(), key: EncodingKey::from_secret(&[7; 32]) };
            App::new()
                .app_data(web::Data::new(bare))
                .route("/login", web::post().to(login))
                .route("/token/refresh", web::post().to(refresh))
                .route("/me", web::get().to(me))
        };
        let server = HttpServer::new(app).workers(2).backlog(4096).bind("127.0.0.1:0").expect("a port");
        eprintln!("listening on http://{}", server.addrs()[0]);
        server.run().await.expect("it serves");
    });
}

async fn login(bare: web::Data<Bare>, login: web::Json<Login>) -> HttpResponse {
    let url = format!(
        "{}/sns/jscode2session?appid={}&secret={}&js_code={}&grant_type=authorization_code",
        bare.simulator,
        crate::processes::APPID,
        crate::processes::SECRET,
        login.code
    );
    let answer = bare.http.get(url).send().await.expect("an answer").bytes().await.expect("a body");
    let Ok(session) = serde_json::from_slice::<Session>(&answer) else {
        return HttpResponse::BadGateway().finish();
    };
    assert!(!session.session_key.is_empty());
    tokens(&bare, session.openid)
}

#[derive(Deserialize)]
struct Refresh {
    refresh_token: String,
}

async fn refresh(bare: web::Data<Bare>, refresh: web::Json<Refresh>) -> HttpResponse {
    tokens(&bare, refresh.into_inner().refresh_token)
}

fn tokens(bare: &Bare, subject: String) -> HttpResponse {
    let claims = Claims { sub: subject, exp: 4_000_000_000 };
    let token = jsonwebtoken::encode(&Header::default(), &claims, &bare.key).expect("a token");
    HttpResponse::Ok().json(json!({
        "access_token": token, "token_type": "Bearer", "expires_in": 7200, "refresh_token": claims.sub,
    }))
}

/// As many fields as weauth's `/me`, serialized for each request, as a handler would.
#[derive(Serialize)]
struct Me {
    id: &'static str,
    status: &'static str,
    roles: [&'static str; 0],
    permissions: [&'static str; 0],
    nickname: Option<&'static str>,
    avatar_url: Option<&'static str>,
    phone: Option<&'static str>,
    unionid_linked: bool,
    created_at: &'static str,
    last_login_at: &'static str,
}

async fn me() -> web::Json<Me> {
    web::Json(Me {
        id: "01a2064117bf70ba8d694c46774e8673",
        status: "active",
        roles: [],
        permissions: [],
        nickname: None,
        avatar_url: None,
        phone: None,
        unionid_linked: true,
        created_at: "2026-11-23T02:34:18.943Z",
        last_login_at: "2026-11-23T02:34:18.943Z",
    })
}

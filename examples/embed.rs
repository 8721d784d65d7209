//! A small API with a list of notes per user, and weauth mounted in it.
//!
//! ```text
//! weauth simulate &
//! export WECHAT_APPID=wx5eb1a7d09c3f2e64 WECHAT_SECRET=$(openssl rand -hex 16)
//! export WECHAT_API_BASE=http://127.0.0.1:8081 WEAUTH_MASTER_KEY=$(openssl rand -base64 32)
//! export WEAUTH_PUBLIC_URL=http://127.0.0.1:8080/auth
//! cargo run --example embed
//! ```
//!
//! `POST /auth/login` and the rest of weauth are below `/auth`; `/notes` is the program's own. A handler that
//! takes an [`AuthenticatedUser`] can't be called without a valid token.

use actix_web::{App, HttpResponse, HttpServer, web};
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use std::net::TcpListener;
use std::process::ExitCode;
use std::sync::{Mutex, PoisonError};
use weauth::{AuthenticatedUser, Config, Problem, Settings, Sources, UserId, Weauth};

/// All users' notes. A real program would keep them in a database, with a column for the user's id.
#[derive(Default)]
struct Notes(Mutex<BTreeMap<UserId, Vec<Note>>>);

#[derive(Clone, Serialize, Deserialize)]
struct Note {
    text: String,
}

/// `GET /notes`: the user's own notes.
async fn list(user: AuthenticatedUser, notes: web::Data<Notes>) -> web::Json<Vec<Note>> {
    let notes = notes.0.lock().unwrap_or_else(PoisonError::into_inner);
    web::Json(notes.get(&user.id).cloned().unwrap_or_default())
}

/// `POST /notes`: adds a note.
async fn write(user: AuthenticatedUser, notes: web::Data<Notes>, note: web::Json<Note>) -> HttpResponse {
    let mut notes = notes.0.lock().unwrap_or_else(PoisonError::into_inner);
    notes.entry(user.id.clone()).or_default().push(note.0.clone());
    HttpResponse::Created().json(note.0)
}

/// `GET /notes/all`: everybody's notes, for users whose role grants the permission.
async fn all(
    user: AuthenticatedUser,
    notes: web::Data<Notes>,
) -> Result<web::Json<BTreeMap<UserId, Vec<Note>>>, Problem> {
    user.require("notes:read_all")?;
    let notes = notes.0.lock().unwrap_or_else(PoisonError::into_inner);
    Ok(web::Json(notes.clone()))
}

#[actix_web::main]
async fn main() -> ExitCode {
    match run().await {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("{error}");
            ExitCode::FAILURE
        }
    }
}

async fn run() -> Result<(), Box<dyn std::error::Error>> {
    env_logger::init_from_env(env_logger::Env::default().default_filter_or("info"));
    let config = Config::for_serve(&Sources::of_process(None))?;
    let listener = TcpListener::bind(config.server.listen)?;
    let address = listener.local_addr()?;
    let weauth = Weauth::start(Settings::new(config, address)).await?;
    let notes = web::Data::new(Notes::default());
    let mounted = weauth.clone();
    let app = move || {
        App::new()
            .configure(|cfg| mounted.extractor(cfg))
            .service(mounted.scope("/auth"))
            .app_data(notes.clone())
            .route("/notes", web::get().to(list))
            .route("/notes", web::post().to(write))
            .route("/notes/all", web::get().to(all))
    };
    let server = HttpServer::new(app).listen(listener)?.run();
    eprintln!("listening on http://{address}");
    server.await?;
    weauth.finish().await;
    Ok(())
}

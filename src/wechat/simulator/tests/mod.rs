//! Tests of the simulator over real HTTP, as clients and developers use it.

mod faults;

use super::*;
use crate::crypto::hmac_sha256_hex;
use crate::domain::SessionKey;
use crate::wechat::open_data::{EncryptedData, decrypt, raw_data_signature};
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use serde_json::{Value, json};

const APP: &str = "wx0123456789abcdef";
const OTHER_APP: &str = "wxfedcba9876543210";
const SECRET: &str = "9f86d081884c7d659a2feaa0c55ad015";

/// A running simulator, which is dropped with the test's runtime.
struct World {
    base: String,
    http: reqwest::Client,
}

impl World {
    fn start(apps: &[&str]) -> Self {
        let app = |appid: &&str| SimulatedApp {
            appid: (*appid).to_owned(),
            secret: SECRET.to_owned(),
            ..SimulatedApp::default()
        };
        let options =
            SimulatorOptions { apps: apps.iter().map(app).collect(), ..SimulatorOptions::default() };
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let base = format!("http://{}", listener.local_addr().unwrap());
        actix_web::rt::spawn(Simulator::new(options).serve(listener).unwrap());
        let http = reqwest::Client::builder()
            .no_proxy()
            .redirect(reqwest::redirect::Policy::none())
            .timeout(Duration::from_secs(5))
            .build()
            .unwrap();
        Self { base, http }
    }

    async fn get(&self, path: &str) -> Result<reqwest::Response, reqwest::Error> {
        self.http.get(format!("{}{path}", self.base)).send().await
    }

    async fn get_json(&self, path: &str) -> Value {
        read_json(self.get(path).await.unwrap()).await
    }

    async fn post(&self, path: &str, body: Value) -> Value {
        let request = self.http.post(format!("{}{path}", self.base)).body(body.to_string());
        read_json(request.send().await.unwrap()).await
    }

    fn login_path(appid: &str, code: &str) -> String {
        format!(
            "/sns/jscode2session?appid={appid}&secret={SECRET}&js_code={code}&grant_type=authorization_code"
        )
    }

    async fn login(&self, code: &str) -> Value {
        self.get_json(&Self::login_path(APP, code)).await
    }

    async fn token(&self) -> String {
        let body = json!({"grant_type": "client_credential", "appid": APP, "secret": SECRET});
        text(&self.post("/cgi-bin/stable_token", body).await["access_token"])
    }
}

async fn read_json(response: reqwest::Response) -> Value {
    let bytes = response.bytes().await.unwrap();
    if bytes.is_empty() { Value::Null } else { serde_json::from_slice(&bytes).unwrap() }
}

fn text(value: &Value) -> String {
    value.as_str().unwrap().to_owned()
}

#[actix_web::test]
async fn a_login_is_answered_as_wechat_does_and_its_code_works_once() {
    let world = World::start(&[APP]);
    let response = world.get(&World::login_path(APP, "sim.alice.1")).await.unwrap();
    assert_eq!(response.status(), 200);
    assert_eq!(response.headers()["content-type"], "text/plain");
    let answer = read_json(response).await;
    assert_eq!(answer.get("errcode"), None);
    assert_eq!(answer["openid"], identities::openid(APP, "alice"));
    assert_eq!(answer["unionid"], identities::unionid("alice"));
    assert_eq!(text(&answer["session_key"]).len(), 24);
    let again = world.login("sim.alice.1").await;
    assert_eq!(again["errcode"], 40163);
    assert!(text(&again["errmsg"]).starts_with("code been used, rid: "));
    assert_eq!(world.login("sim.alice.2").await["session_key"], answer["session_key"]);
    let counters = world.get_json("/simulator/counters").await;
    let expected =
        json!({"calls": 3, "ok": 2, "faults": 0, "errcodes": {"40163": 1}, "max_calls_per_code": 2});
    assert_eq!(counters["jscode2session"], expected);
}

#[actix_web::test]
async fn what_is_missing_or_wrong_has_its_own_errcode() {
    let world = World::start(&[APP, OTHER_APP]);
    let of =
        async |query: &str| world.get_json(&format!("/sns/jscode2session?{query}")).await["errcode"].clone();
    assert_eq!(of("").await, 41002);
    assert_eq!(of(&format!("appid={APP}")).await, 41004);
    assert_eq!(of(&format!("appid={APP}&secret={SECRET}")).await, 41008);
    assert_eq!(of(&format!("appid={APP}&secret={SECRET}&js_code=x")).await, 40002);
    assert_eq!(of(&World::login_path("wx1", "x")[20..]).await, 40013);
    assert_eq!(of(&World::login_path(APP, "x").replace(SECRET, "x")[20..]).await, 40125);
    assert_eq!(of(&World::login_path(APP, "x")[20..]).await, 40029);
    let form = format!("appid={APP}&secret={SECRET}&js_code=x&grant_type=authorization_code");
    let post = world.http.post(format!("{}/sns/jscode2session", world.base)).body(form);
    assert_eq!(read_json(post.send().await.unwrap()).await["errcode"], 41002);
    assert_eq!(world.get_json("/cgi-bin/stable_token").await["errcode"], 43002);
    assert_eq!(world.post("/cgi-bin/stable_token", json!({})).await["errcode"], 41002);
    assert_eq!(world.get_json("/cgi-bin/nothing").await["errcode"], 40066);
    assert_eq!(world.get_json("/wxa/checksession").await["errcode"], 41001);
    assert_eq!(world.get_json("/wxa/checksession?access_token=x").await["errcode"], 40014);
}

#[actix_web::test]
async fn a_code_is_bound_to_its_app_and_burnt_by_another() {
    let world = World::start(&[APP, OTHER_APP]);
    let issued = world.post("/simulator/codes", json!({"user": "alice", "appid": APP})).await;
    let code = text(&issued["code"]);
    assert_eq!(issued["openid"], identities::openid(APP, "alice"));
    assert_eq!(world.get_json(&World::login_path(OTHER_APP, &code)).await["errcode"], 40029);
    assert_eq!(world.login(&code).await["errcode"], 40163);
    let code = text(&world.post("/simulator/codes", json!({"user": "alice", "appid": APP})).await["code"]);
    world.post("/simulator/clock", json!({"advance_seconds": 300})).await;
    assert_eq!(world.login(&code).await["errcode"], 40029);
    let error = world.post("/simulator/codes", json!({"user": "alice"})).await;
    assert!(text(&error["error"]).contains("appid"));
}

#[actix_web::test]
async fn without_apps_the_first_secret_is_the_secret() {
    let world = World::start(&[]);
    assert!(world.login("sim.alice.1").await["openid"].is_string());
    let wrong = World::login_path(APP, "sim.alice.2").replace(SECRET, "another");
    assert_eq!(world.get_json(&wrong).await["errcode"], 40125);
    assert!(world.login("sim.alice.2").await["openid"].is_string());
}

#[actix_web::test]
async fn switches_change_what_a_login_says() {
    let world = World::start(&[APP]);
    let change = json!({"unionid": false, "legacy_expires_in": true, "key_rotation_seconds": 0});
    world.post(&format!("/simulator/apps/{APP}"), change).await;
    let first = world.login("sim.alice.1").await;
    assert_eq!((first.get("unionid"), &first["expires_in"]), (None, &json!(7200)));
    assert_ne!(world.login("sim.alice.2").await["session_key"], first["session_key"]);
    world.post("/simulator/users/alice", json!({"blocked": true})).await;
    assert_eq!(world.login("sim.alice.3").await["errcode"], 40226);
    world.post(&format!("/simulator/apps/{APP}"), json!({"frozen": true})).await;
    assert_eq!(world.login("sim.bob.1").await["errcode"], 40243);
    world.post("/simulator/reset", json!({})).await;
    assert!(world.login("sim.alice.1").await["unionid"].is_string());
    let typo = world.post(&format!("/simulator/apps/{APP}"), json!({"frosen": true})).await;
    assert!(text(&typo["error"]).contains("frosen"));
}

#[actix_web::test]
async fn session_checks_want_the_hex_hmac_under_the_raw_key() {
    let world = World::start(&[APP]);
    let login = world.login("sim.alice.1").await;
    let (key, openid) = (text(&login["session_key"]), text(&login["openid"]));
    let token = world.token().await;
    let signed = async |path: &str, signature: &str| {
        let query =
            format!("access_token={token}&openid={openid}&signature={signature}&sig_method=hmac_sha256");
        world.get_json(&format!("{path}?{query}")).await
    };
    let signature = hmac_sha256_hex(key.as_bytes(), b"");
    let decoded = hmac_sha256_hex(&STANDARD.decode(&key).unwrap(), b"");
    assert_eq!(signed("/wxa/checksession", &signature).await, json!({"errcode": 0, "errmsg": "ok"}));
    assert_eq!(signed("/wxa/checksession", &decoded).await["errcode"], 87009);
    let keys = signed("/wxa/business/getuserencryptkey", &signature).await;
    assert_eq!(keys["key_info_list"].as_array().unwrap().len(), 3);
    assert_eq!(text(&keys["key_info_list"][0]["iv"]).len(), 16);
    let reset = signed("/wxa/resetusersessionkey", &signature).await;
    assert_eq!(reset["openid"], openid.as_str());
    assert_eq!(signed("/wxa/checksession", &signature).await["errcode"], 87009);
    let signature = hmac_sha256_hex(text(&reset["session_key"]).as_bytes(), b"");
    assert_eq!(signed("/wxa/checksession", &signature).await["errcode"], 0);
    world.post("/simulator/session-keys", json!({"user": "alice", "action": "expire"})).await;
    assert_eq!(signed("/wxa/resetusersessionkey", &signature).await["errcode"], 87007);
    world.post("/simulator/access-tokens", json!({"action": "rotate"})).await;
    assert_eq!(signed("/wxa/checksession", &signature).await["errcode"], 40001);
}

#[actix_web::test]
async fn a_phone_code_gives_the_number_of_its_user_only() {
    let world = World::start(&[APP]);
    let path = format!("/wxa/business/getuserphonenumber?access_token={}", world.token().await);
    let ask =
        async |code: &str, openid: &str| world.post(&path, json!({"code": code, "openid": openid})).await;
    let change = json!({"phone": "5551234", "country_code": 1});
    world.post("/simulator/users/alice", change).await;
    let alice = identities::openid(APP, "alice");
    let answer = ask("sim-phone.alice.1", &alice).await;
    assert_eq!(answer["phone_info"]["purePhoneNumber"], "5551234");
    assert_eq!(answer["phone_info"]["countryCode"], 1);
    assert_eq!(answer["phone_info"]["watermark"]["appid"], APP);
    assert_eq!(ask("sim-phone.alice.1", &alice).await["errcode"], 40029);
    assert_eq!(ask("sim-phone.bob.1", &alice).await["errcode"], 40003);
    assert_eq!(ask("sim.alice.1", &alice).await["errcode"], 40029);
    let issued = world.post("/simulator/codes", json!({"user": "bob", "kind": "phone", "phone": "13"})).await;
    let answer = ask(&text(&issued["code"]), "").await;
    assert_eq!(answer["phone_info"]["purePhoneNumber"], "13");
    assert!(text(&ask("x", "").await["errmsg"]).starts_with("invalid code hint: ["));
}

#[actix_web::test]
async fn open_data_is_under_the_users_present_or_previous_key() {
    let world = World::start(&[APP]);
    let key = |login: &Value| SessionKey::parse(login["session_key"].as_str().unwrap()).unwrap();
    let first = key(&world.login("sim.alice.1").await);
    world.post("/simulator/session-keys", json!({"user": "alice", "action": "rotate"})).await;
    let second = key(&world.login("sim.alice.2").await);
    for (which, key) in [("current", second), ("previous", first)] {
        let order = json!({"user": "alice", "key": which, "data": {"phoneNumber": "1"}, "timestamp": 7});
        let twin = world.post("/simulator/open-data", order).await;
        assert_eq!(raw_data_signature(&text(&twin["rawData"]), &key), text(&twin["signature"]));
        let encrypted_data = text(&twin["encryptedData"]);
        let hash = crate::crypto::sha256_hex(encrypted_data.as_bytes());
        let plain = decrypt(&EncryptedData { encrypted_data, iv: text(&twin["iv"]) }, &key).unwrap();
        let plain: Value = serde_json::from_slice(&plain).unwrap();
        assert_eq!(plain["watermark"], json!({"timestamp": 7, "appid": APP}));
        let path = format!("/wxa/business/checkencryptedmsg?access_token={}", world.token().await);
        assert_eq!(world.post(&path, json!({"encrypted_msg_hash": hash})).await["vaild"], true);
        let unknown = json!({"encrypted_msg_hash": "0".repeat(64)});
        assert_eq!(world.post(&path, unknown).await["errcode"], 1);
    }
}

#[actix_web::test]
async fn a_page_of_somebody_elses_gives_no_orders() {
    let world = World::start(&[APP]);
    let order = |origin: &str| {
        let request = world.http.post(format!("{}/simulator/reset", world.base)).header("Origin", origin);
        async { request.send().await.unwrap().status().as_u16() }
    };
    assert_eq!(order("http://localhost:8080").await, 204);
    assert_eq!(order("https://evil.example").await, 403);
}

#[actix_web::test]
async fn a_push_is_brought_thrice_until_it_is_answered() {
    let world = World::start(&[APP]);
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}/", listener.local_addr().unwrap());
    let silent = actix_web::rt::spawn(async move {
        let mut held = Vec::new();
        while let Ok((stream, _)) = listener.accept().await {
            held.push(stream);
        }
    });
    let order =
        json!({"url": url, "token": "t", "event": "user_info_modified", "user": "alice", "timeout_ms": 50});
    let report = world.post("/simulator/pushes", order).await;
    silent.abort();
    assert_eq!((&report["delivered"], report["attempts"].as_array().unwrap().len()), (&json!(false), 3));
    let url = format!("{}/simulator", world.base);
    let order = json!({"url": url, "token": "t", "duplicate": true});
    let report = world.post("/simulator/pushes", order).await;
    assert_eq!((&report["delivered"], report["attempts"].as_array().unwrap().len()), (&json!(true), 2));
    assert!(text(&report["attempts"][0]["body"]).starts_with('{'));
    let two_headers = json!({"url": url, "token": "t", "event": "e", "content_type": "text/xml\r\nx: y"});
    assert!(text(&world.post("/simulator/pushes", two_headers).await["error"]).contains("content_type"));
}

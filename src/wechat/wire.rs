//! WeChat's JSON, parsed leniently: any content type is accepted, unknown fields are ignored, and a number
//! may be a string. But a success without its fields is an error.

use serde::Deserialize;

/// Parses a response; `None` if it is not a JSON object with fields of the right types.
pub(super) fn read<T: serde::de::DeserializeOwned>(body: &[u8]) -> Option<T> {
    // serde would accept an array for a struct, field by field.
    let is_object = body.trim_ascii_start().first() == Some(&b'{');
    if is_object { serde_json::from_slice(body).ok() } else { None }
}

/// The response of `code2Session`.
#[derive(Deserialize)]
pub(super) struct Code2Session {
    #[serde(default, deserialize_with = "number_or_text")]
    pub(super) errcode: i64,
    #[serde(default, deserialize_with = "text_or_nothing")]
    pub(super) errmsg: Option<String>,
    #[serde(default)]
    pub(super) openid: Option<String>,
    #[serde(default)]
    pub(super) session_key: Option<String>,
    #[serde(default)]
    pub(super) unionid: Option<String>,
}

/// Parses an `errcode` of `40029` or `"40029"`; `null` is success.
fn number_or_text<'de, D: serde::Deserializer<'de>>(deserializer: D) -> Result<i64, D::Error> {
    #[derive(Deserialize)]
    #[serde(untagged)]
    enum Raw {
        Number(i64),
        Text(String),
        Nothing(()),
    }
    match Raw::deserialize(deserializer)? {
        Raw::Number(number) => Ok(number),
        Raw::Text(text) => text.trim().parse().map_err(serde::de::Error::custom),
        Raw::Nothing(()) => Ok(0),
    }
}

/// `errmsg` is only for the log, so no value of it invalidates a response.
fn text_or_nothing<'de, D: serde::Deserializer<'de>>(deserializer: D) -> Result<Option<String>, D::Error> {
    let value = serde_json::Value::deserialize(deserializer)?;
    Ok(value.as_str().map(str::to_owned))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_numbers_as_text_and_ignores_what_it_does_not_know() {
        let read = |text: &str| read::<Code2Session>(text.as_bytes());
        assert_eq!(read(r#"{"errcode":"40029","errmsg":"x"}"#).unwrap().errcode, 40029);
        assert_eq!(read(r#"{"errcode":-1,"errmsg":7}"#).unwrap().errcode, -1);
        let ok = read(r#"{"openid":"o","session_key":"k","expires_in":7200,"errcode":0,"new":[1]}"#).unwrap();
        assert_eq!((ok.errcode, ok.openid.as_deref(), ok.unionid), (0, Some("o"), None));
        for wrong in ["[]", r#"[0,"","o","k",null]"#, r#"{"openid":7}"#, "", "null"] {
            assert!(read(wrong).is_none(), "{wrong}");
        }
    }
}

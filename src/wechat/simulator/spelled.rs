//! Self-describing codes.

use super::fault::Fault;
use super::identities::is_user_name;
use serde::{Deserialize, Serialize};

/// The user of fault codes that name none.
const FAULTY_USER: &str = "fault";

/// The kinds of code, which are not interchangeable.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(super) enum Kind {
    /// From `wx.login`, for `jscode2session`.
    #[default]
    Login,
    /// From the phone button, for `getuserphonenumber`.
    Phone,
}

/// When the fault of a fault code occurs.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Occasion<'a> {
    /// `fault.<fault>.<nonce>`: every time.
    Always,
    /// `fault.<fault>.once.<user>.<nonce>`: the first time; afterwards it is a code of the user.
    Once(&'a str),
    /// `fault.<fault>.burn.<user>.<nonce>`: the first time, which uses up the code.
    Burn(&'a str),
}

impl<'a> Occasion<'a> {
    pub(super) fn user(self) -> &'a str {
        match self {
            Occasion::Always => FAULTY_USER,
            Occasion::Once(user) | Occasion::Burn(user) => user,
        }
    }
}

/// The meaning of a code.
#[derive(Debug, PartialEq)]
pub(super) enum Spelled<'a> {
    /// `sim.<user>.<nonce>` and `sim-phone.<user>.<nonce>`.
    User(Kind, &'a str),
    /// `fault.…`.
    Fault(Fault, Occasion<'a>),
    /// Not a self-describing code.
    Nothing,
}

impl<'a> Spelled<'a> {
    /// Parses a code.
    pub(super) fn read(code: &'a str) -> Self {
        let Some((family, rest)) = code.split_once('.') else { return Spelled::Nothing };
        match family {
            "sim" => Self::of_user(Kind::Login, rest),
            "sim-phone" => Self::of_user(Kind::Phone, rest),
            "fault" => Self::of_fault(rest).unwrap_or(Spelled::Nothing),
            _ => Spelled::Nothing,
        }
    }

    fn of_user(kind: Kind, rest: &'a str) -> Self {
        match rest.split_once('.') {
            Some((user, nonce)) if is_user_name(user) && !nonce.is_empty() => Spelled::User(kind, user),
            _ => Spelled::Nothing,
        }
    }

    fn of_fault(rest: &'a str) -> Option<Self> {
        let (fault, rest) = rest.split_once('.')?;
        let fault = Fault::named(fault)?;
        let mut parts = rest.splitn(3, '.');
        let occasion = match (parts.next()?, parts.next(), parts.next()) {
            ("once", Some(user), Some(_)) if is_user_name(user) => Occasion::Once(user),
            ("burn", Some(user), Some(_)) if is_user_name(user) => Occasion::Burn(user),
            _ => Occasion::Always,
        };
        Some(Spelled::Fault(fault, occasion))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn fault_codes_say_what_happens_and_when() {
        let fault = |name| Fault::named(name).unwrap();
        let read = Spelled::read;
        assert_eq!(read("fault.-1.x"), Spelled::Fault(fault("-1"), Occasion::Always));
        assert_eq!(read("fault.html.once.bob.x"), Spelled::Fault(fault("html"), Occasion::Once("bob")));
        assert_eq!(read("fault.45011.burn.bob.x"), Spelled::Fault(fault("45011"), Occasion::Burn("bob")));
        assert_eq!(read("fault.nonsense.x"), Spelled::Nothing);
    }
}

//! weauth as third-party libraries see it: ones that know nothing of weauth, in Node.js and Python.

mod oauth;
mod programs;
mod rotation;
mod verifiers;

//! weauth as programs of other people meet it: libraries that know nothing of it, in Node.js and in Python.

mod oauth;
mod programs;
mod rotation;
mod verifiers;

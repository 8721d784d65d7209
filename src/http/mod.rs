//! HTTP: routes and what they answer.
pub mod demo;

#![doc = include_str!("../README.md")]
#![cfg_attr(docsrs, feature(doc_cfg))]

pub mod csrf;
pub mod flash;
mod object;
pub mod passport;
mod settle;

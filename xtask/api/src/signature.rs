//! Functions and constants as they are declared.

use quote::ToTokens;
use syn::{Expr, FnArg, Pat, ReturnType, Signature};

use crate::print::text;

/// Returns a function's signature under a name. What only its body sees is left out: `mut` and attributes.
pub(crate) fn signature(name: &str, mut signature: Signature) -> String {
    signature.inputs.pop_punct();
    for input in &mut signature.inputs {
        match input {
            FnArg::Receiver(receiver) => {
                receiver.attrs.clear();
                if receiver.reference.is_none() {
                    receiver.mutability = None;
                }
            }
            FnArg::Typed(argument) => {
                argument.attrs.clear();
                if let Pat::Ident(pattern) = &mut *argument.pat {
                    pattern.mutability = None;
                }
            }
        }
    }
    if let ReturnType::Type(_, ty) = &signature.output
        && matches!(&**ty, syn::Type::Tuple(tuple) if tuple.elems.is_empty())
    {
        signature.output = ReturnType::Default;
    }
    if let Some(bounds) = &mut signature.generics.where_clause {
        bounds.predicates.pop_punct();
    }
    let bare = syn::Ident::new("name", signature.ident.span());
    let wanted = std::mem::replace(&mut signature.ident, bare);
    let text = text(signature.to_token_stream());
    let name = if name.is_empty() { wanted.to_string() } else { name.to_owned() };
    // The first `fn` followed by the stand-in is the function's own.
    text.replacen("fn name", &format!("fn {name}"), 1)
}

/// The value of a constant, if it is a literal.
pub(crate) fn value(value: &Expr) -> String {
    match value {
        Expr::Lit(literal) => format!(" = {}", text(&literal.lit)),
        _ => String::new(),
    }
}

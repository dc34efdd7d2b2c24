//! The page that both sides serve.

const PAGE: &str = include_str!("page.html");

/// Returns the page for a user or a guest, with the items that each side has added to the cart.
pub(crate) fn page(user: Option<&str>, express: &[String], rust: &[String]) -> String {
    let items = |items: &[String], by: &str| -> String {
        items.iter().map(|item| format!(r#"<li data-by="{by}">{}</li>"#, escape(item))).collect()
    };
    PAGE.replace("{{side}}", "Rust")
        .replace("{{path}}", "/rust")
        .replace("{{with}}", "axum and cloakroom")
        .replace("{{who}}", if user.is_some() { "member" } else { "guest" })
        .replace("{{cart}}", &(items(express, "Express") + &items(rust, "Rust")))
        .replace("{{user}}", &escape(user.unwrap_or_default()))
}

fn escape(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('"', "&quot;")
}

//! The arguments, as clap reads them. The texts here are the help, the man page and the completions.

use clap::{Args, Parser, Subcommand, ValueEnum, ValueHint};

const EXAMPLES: &str = "\
Examples:
  cloakroom ls redis://localhost
  cloakroom destroy --store redis://localhost --where passport.user=42
  cloakroom copy redis://localhost mongodb://localhost/app --verify
  cloakroom check redis://localhost memcached://localhost

A store is a URL, as in the application: redis://…, memcached://…, mongodb://…, postgres://…,
mysql://…, sqlite:FILE, file:///…, node:FILE.
Other users of the machine can see arguments. So write env:NAME for a URL with a password in it,
which is then read from the environment variable NAME, and - for an id, which is then read from
standard input.

Exit codes: 0 if all is well, 1 if something is missing or differs, 2 for a wrong argument or a
failed store.";

/// Look at, copy and end the sessions of express-session.
#[derive(Debug, Parser)]
#[command(name = "cloakroom", version, after_help = EXAMPLES, arg_required_else_help = true)]
pub(crate) struct Cli {
    #[command(subcommand)]
    pub(crate) command: Command,
}

#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// List the sessions.
    #[command(after_help = "Example:\n  cloakroom ls redis://localhost --where passport.user=42")]
    Ls(Ls),
    /// Show one session. Exits with 1 if it does not exist.
    #[command(
        after_help = "Example:\n  echo \"$SID\" | cloakroom get - --store redis://localhost --raw"
    )]
    Get(Get),
    /// Count the sessions.
    #[command(
        after_help = "Example:\n  cloakroom count redis://localhost --where role=\\\"admin\\\""
    )]
    Count(Count),
    /// End sessions, by id or by what is in them.
    #[command(
        after_help = "Examples:\n  echo \"$SID\" | cloakroom destroy - --store redis://localhost\n  cloakroom destroy --store redis://localhost --where passport.user=42"
    )]
    Destroy(Destroy),
    /// Extend a session as a visit does. Exits with 1 if it does not exist.
    Touch(Touch),
    /// End all sessions. Asks first.
    Clear(Clear),
    /// Copy the live sessions of a store to another, with every byte and the time left.
    #[command(after_help = "\
A copy overwrites nothing, so it can be started again after it was interrupted: it skips what is
there.

Examples:
  cloakroom copy redis://localhost mongodb://localhost/app --dry-run
  cloakroom copy redis://localhost mongodb://localhost/app --verify
  cloakroom copy env:OLD env:NEW --move   # while the application runs on ExpressSession::migrating")]
    Copy(Copy),
    /// Run the conformance suite on stores, each in a prefix, collection, table or folder of its own.
    #[command(
        after_help = "Example:\n  cloakroom check redis://localhost mongodb://localhost/app --format junit > report.xml"
    )]
    Check(Check),
    /// Sign, verify and explain cookies.
    #[command(subcommand)]
    Cookie(Cookie),
    /// Show the number of sessions and the operations of the server, each second.
    Watch(Watch),
    /// Tell whether a store can be reached, and what it can do. Creates, changes and removes a session of its own.
    Doctor(Doctor),
    /// Print completions for a shell.
    #[command(
        after_help = "Example:\n  cloakroom completions bash > /etc/bash_completion.d/cloakroom"
    )]
    Completions {
        /// The shell.
        shell: clap_complete::Shell,
    },
    /// Print the man page.
    Man,
}

/// A store that is given first.
#[derive(Args, Debug)]
pub(crate) struct StoreArg {
    /// The URL of the store, or env:NAME.
    #[arg(value_name = "STORE", env = "CLOAKROOM_URL", hide_env_values = true, value_hint = ValueHint::Url)]
    pub(crate) store: String,
}

/// A store beside other arguments.
#[derive(Args, Debug)]
pub(crate) struct StoreOption {
    /// The URL of the store, or env:NAME.
    #[arg(long, short, value_name = "STORE", env = "CLOAKROOM_URL", hide_env_values = true, value_hint = ValueHint::Url)]
    pub(crate) store: String,
}

#[derive(Args, Debug)]
pub(crate) struct Where {
    /// Only sessions whose member has this value, such as passport.user=42. Can be repeated.
    #[arg(long = "where", value_name = "MEMBER=VALUE")]
    pub(crate) conditions: Vec<String>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum ListFormat {
    /// A line for each session: the id, the time left and the size.
    Table,
    /// A JSON object for each session, with the session in it.
    Json,
    /// The ids alone.
    Ids,
}

#[derive(Args, Debug)]
pub(crate) struct Ls {
    #[command(flatten)]
    pub(crate) store: StoreArg,
    #[command(flatten)]
    pub(crate) filter: Where,
    /// List at most N sessions.
    #[arg(long, value_name = "N")]
    pub(crate) limit: Option<usize>,
    #[arg(long, value_enum, default_value = "table", help = "How to print them")]
    pub(crate) format: ListFormat,
}

#[derive(Args, Debug)]
pub(crate) struct Get {
    /// The session id, or - to read it from standard input.
    #[arg(value_name = "ID")]
    pub(crate) id: String,
    #[command(flatten)]
    pub(crate) store: StoreOption,
    /// Print the exact bytes of the record and nothing else.
    #[arg(long)]
    pub(crate) raw: bool,
}

#[derive(Args, Debug)]
pub(crate) struct Count {
    #[command(flatten)]
    pub(crate) store: StoreArg,
    #[command(flatten)]
    pub(crate) filter: Where,
}

#[derive(Args, Debug)]
pub(crate) struct Destroy {
    /// The session ids, or - to read them from standard input, one a line.
    #[arg(
        value_name = "ID",
        required_unless_present = "conditions",
        conflicts_with = "conditions"
    )]
    pub(crate) ids: Vec<String>,
    #[command(flatten)]
    pub(crate) store: StoreOption,
    #[command(flatten)]
    pub(crate) filter: Where,
}

#[derive(Args, Debug)]
pub(crate) struct Touch {
    /// The session id, or - to read it from standard input.
    #[arg(value_name = "ID")]
    pub(crate) id: String,
    #[command(flatten)]
    pub(crate) store: StoreOption,
}

#[derive(Args, Debug)]
pub(crate) struct Clear {
    #[command(flatten)]
    pub(crate) store: StoreArg,
    /// Do not ask.
    #[arg(long, short)]
    pub(crate) yes: bool,
}

#[derive(Args, Debug)]
pub(crate) struct Copy {
    /// The store to copy from: a URL, or env:NAME.
    #[arg(value_name = "FROM", value_hint = ValueHint::Url)]
    pub(crate) from: String,
    /// The store to copy to: a URL, or env:NAME.
    #[arg(value_name = "TO", value_hint = ValueHint::Url)]
    pub(crate) to: String,
    /// Write nothing, and count what would be done.
    #[arg(long, conflicts_with_all = ["verify", "moves"])]
    pub(crate) dry_run: bool,
    /// Compare both stores afterwards. Exits with 1 if they differ.
    #[arg(long, conflicts_with = "moves")]
    pub(crate) verify: bool,
    /// Replace a session that the other store has with another record.
    #[arg(long, conflicts_with = "moves")]
    pub(crate) overwrite: bool,
    /// Move the sessions, while an application that runs on ExpressSession::migrating uses them.
    #[arg(long = "move")]
    pub(crate) moves: bool,
    /// How many sessions to copy at the same time.
    #[arg(long, value_name = "N", default_value = "64", value_parser = clap::value_parser!(u16).range(1..=4096))]
    pub(crate) concurrency: u16,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum ReportFormat {
    Table,
    Json,
    Junit,
    Markdown,
}

#[derive(Args, Debug)]
pub(crate) struct Check {
    /// The URLs of the stores, or env:NAME.
    #[arg(value_name = "STORE", required = true, value_hint = ValueHint::Url)]
    pub(crate) stores: Vec<String>,
    #[arg(long, value_enum, default_value = "table", help = "How to print the report")]
    pub(crate) format: ReportFormat,
}

#[derive(Debug, Subcommand)]
pub(crate) enum Cookie {
    /// Sign a session id: print the value of the cookie.
    #[command(
        after_help = "Example:\n  echo \"$SID\" | cloakroom cookie sign - --secret-file secret.txt"
    )]
    Sign(CookieArgs),
    /// Print the session id in a signed cookie. Exits with 1 if no secret signed it.
    Verify(CookieArgs),
    /// Tell what is in a cookie, which secret signed it, why it is refused, and whether the store has it.
    #[command(
        after_help = "Example:\n  cloakroom cookie explain - --secret-file secret.txt --store redis://localhost < cookie.txt"
    )]
    Explain(ExplainArgs),
}

#[derive(Args, Debug)]
pub(crate) struct SecretArgs {
    /// A file with the secrets, one per line; the first one signs. The environment variable CLOAKROOM_SECRETS has the
    /// same form.
    #[arg(long, value_name = "FILE", value_hint = ValueHint::FilePath)]
    pub(crate) secret_file: Option<std::path::PathBuf>,
}

#[derive(Args, Debug)]
pub(crate) struct CookieArgs {
    /// The session id or the value of the cookie, or - to read it from standard input.
    #[arg(value_name = "VALUE")]
    pub(crate) value: String,
    #[command(flatten)]
    pub(crate) secrets: SecretArgs,
}

#[derive(Args, Debug)]
pub(crate) struct ExplainArgs {
    /// The value of the cookie or a whole Cookie header, or - to read it from standard input.
    #[arg(value_name = "COOKIE")]
    pub(crate) value: String,
    /// The name of the cookie in a header.
    #[arg(long, default_value = "connect.sid")]
    pub(crate) name: String,
    #[command(flatten)]
    pub(crate) secrets: SecretArgs,
    /// The store to look into: a URL, or env:NAME.
    #[arg(long, short, value_name = "STORE", env = "CLOAKROOM_URL", hide_env_values = true)]
    pub(crate) store: Option<String>,
}

#[derive(Args, Debug)]
pub(crate) struct Watch {
    #[command(flatten)]
    pub(crate) store: StoreArg,
    /// Stop after N lines.
    #[arg(long, value_name = "N")]
    pub(crate) count: Option<u64>,
    /// Seconds between two lines.
    #[arg(long, value_name = "SECONDS", default_value = "1", value_parser = clap::value_parser!(u16).range(1..))]
    pub(crate) interval: u16,
}

#[derive(Args, Debug)]
pub(crate) struct Doctor {
    #[command(flatten)]
    pub(crate) store: StoreArg,
}

#[cfg(test)]
mod tests {
    use clap::CommandFactory;

    use super::*;

    #[test]
    fn every_example_of_the_help_is_accepted() {
        let command = Cli::command();
        let cookie = command.find_subcommand("cookie").unwrap();
        let all = std::iter::once(&command);
        let all = all.chain(command.get_subcommands()).chain(cookie.get_subcommands());
        let texts: Vec<String> =
            all.filter_map(|one| one.get_after_help()).map(ToString::to_string).collect();
        let mut count = 0;
        for line in texts.iter().flat_map(|text| text.lines()) {
            let Some((before, example)) = line.split_once("cloakroom ") else { continue };
            assert!(before.trim().is_empty() || before.ends_with("| "), "{line}");
            let words =
                example.split_whitespace().take_while(|word| !["<", ">", "#"].contains(word));
            let parsed = Cli::try_parse_from(std::iter::once("cloakroom").chain(words));
            assert!(parsed.is_ok(), "{line}: {}", parsed.unwrap_err());
            count += 1;
        }
        assert!(count > 10, "{count}");
    }
}

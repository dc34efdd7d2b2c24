//! The commands on cookies. The signed values are those of cookie-signature 1.2.2 for the secret `keyboard cat`.

use std::fs;

use crate::{
    plant,
    runner::{Case, check},
};

const CASES: &[Case] = &[
    Case {
        args: &["cookie", "sign", "hello", "--secret-file", "{OLD}"],
        stdin: "",
        code: 0,
        stdout: "{COOKIE}",
        stderr: "",
    },
    Case {
        args: &["cookie", "sign", "-", "--secret-file", "{OLD}"],
        stdin: "hello\n",
        code: 0,
        stdout: "{COOKIE}",
        stderr: "",
    },
    Case {
        args: &["cookie", "verify", "{COOKIE}", "--secret-file", "{OLD}"],
        stdin: "",
        code: 0,
        stdout: "hello",
        stderr: "",
    },
    Case {
        args: &["cookie", "verify", "-", "--secret-file", "{BOTH}"],
        stdin: "{COOKIE}\n",
        code: 0,
        stdout: "hello",
        stderr: "",
    },
    Case {
        args: &["cookie", "verify", "{COOKIE}", "--secret-file", "{NEW}"],
        stdin: "",
        code: 1,
        stdout: "",
        stderr: "cloakroom: no secret signed this cookie",
    },
    Case {
        args: &["cookie", "explain", "{COOKIE}", "--secret-file", "{OLD}"],
        stdin: "",
        code: 0,
        stdout: "session id  5 characters\nsignature   43 characters of base64\nsigned by   the first secret, which signs new cookies",
        stderr: "",
    },
    Case {
        args: &["cookie", "explain", "a=b; connect.sid={COOKIE}", "--secret-file", "{BOTH}"],
        stdin: "",
        code: 0,
        stdout: "*\nsigned by   secret 2, an older one; the first signs new cookies",
        stderr: "",
    },
    Case {
        args: &["cookie", "explain", "cookie: connect.sid={COOKIE}", "--secret-file", "{OLD}"],
        stdin: "",
        code: 0,
        stdout: "*\nsigned by   the first secret, which signs new cookies",
        stderr: "",
    },
    Case {
        args: &["cookie", "explain", "{COOKIE}", "--secret-file", "{NEW}"],
        stdin: "",
        code: 1,
        stdout: "*\nrefused     none of the secrets signed it: another secret did, or the id was changed",
        stderr: "",
    },
    Case {
        args: &["cookie", "explain", "s:hello.abc", "--secret-file", "{OLD}"],
        stdin: "",
        code: 1,
        stdout: "*\nrefused     the signature is not one of HMAC-SHA256, which has 43 characters: it was cut",
        stderr: "",
    },
    Case {
        args: &["cookie", "explain", "hello", "--secret-file", "{OLD}"],
        stdin: "",
        code: 1,
        stdout: "refused     the value does not begin with \"s:\", so it is not a signed cookie",
        stderr: "",
    },
    Case {
        args: &["cookie", "explain", "a=b; c=d", "--secret-file", "{OLD}"],
        stdin: "",
        code: 1,
        stdout: "refused     the header has no cookie named \"connect.sid\"",
        stderr: "",
    },
    Case {
        args: &["cookie", "explain", "{COOKIE}", "--secret-file", "{OLD}", "--store", "{STORE}"],
        stdin: "",
        code: 1,
        stdout: "*\nstore       file does not have the session: *",
        stderr: "",
    },
    Case {
        args: &["cookie", "verify", "{COOKIE}", "--secret-file", "/nowhere"],
        stdin: "",
        code: 2,
        stdout: "",
        stderr: "cloakroom: cannot read the file of --secret-file: entity not found",
    },
    Case {
        args: &["cookie", "verify", "{COOKIE}", "--secret-file", "{EMPTY}"],
        stdin: "",
        code: 2,
        stdout: "",
        stderr: "cloakroom: secrets: new: *",
    },
];

#[test]
fn cookies_are_signed_and_explained_as_the_table_says() {
    let folder = tempfile::tempdir().unwrap();
    let file = |name: &str, text: &str| {
        let path = folder.path().join(name);
        fs::write(&path, text).unwrap();
        path.display().to_string()
    };
    let (old, new) = (file("old", "keyboard cat\n"), file("new", "another\n"));
    let (both, empty) = (file("both", "another\nkeyboard cat\n"), file("empty", "\n"));
    let store = format!("file://{}/sessions", folder.path().display());
    plant(&store);
    let words = [
        ("{COOKIE}", "s%3Ahello.xz6khi6%2BoL1pnNhBgjk3Nr1CX2sxTjJiO9pKXaHZ33E"),
        ("{OLD}", &*old),
        ("{NEW}", &*new),
        ("{BOTH}", &*both),
        ("{EMPTY}", &*empty),
        ("{STORE}", &*store),
    ];
    for case in CASES {
        check(case, &words, &[]);
    }
}

#[test]
fn a_cookie_of_a_session_is_found_in_its_store() {
    let folder = tempfile::tempdir().unwrap();
    let store = format!("file://{}", folder.path().display());
    plant(&store);
    let secrets = [("CLOAKROOM_SECRETS", "hush\n"), ("CLOAKROOM_URL", &*store)];
    let signed = cloakroom::Secrets::new(["hush"]).unwrap().cookie_value("sid-3");
    let case = Case {
        args: &["cookie", "explain", "-"],
        stdin: "{COOKIE}",
        code: 0,
        stdout: "session id  5 characters\n*\nstore       file has the session\nsize * bytes\nexpires *, in *m *",
        stderr: "",
    };
    check(&case, &[("{COOKIE}", &*signed)], &secrets);
}

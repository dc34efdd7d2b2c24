//! The example `quickstart`, which keeps its sessions where its argument says.

#[test]
fn sessions_in_a_file_survive_a_restart() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("sessions.db");
    let url = format!("sqlite://{}", file.display());
    for number in 1..=3 {
        let text = crate::run("quickstart", &[&url]);
        assert!(text.contains(&format!("this store saw   {number} run(s)")), "{text}");
        assert!(file.is_file());
    }
}

#[test]
fn without_an_argument_every_run_is_the_first() {
    for _ in 0..2 {
        let text = crate::run("quickstart", &[]);
        assert!(text.contains("this store saw   1 run(s)"), "{text}");
    }
}

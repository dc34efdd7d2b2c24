//! The one list of cases: what [`CASES`](crate::CASES) and [`suite!`](crate::suite) are both made of.

/// Calls a macro with some input and, behind it, the list: each group with its cases, each case with the parts that it
/// needs and the sentence of the contract that it tests.
#[doc(hidden)]
#[macro_export]
macro_rules! __cases {
    ($then:path, $($input:tt)*) => { $then! { $($input)* {
        get {
            get_missing_is_none []
            "Returns the session, or `None` when there is none or it has expired, whatever the backend's own cleaner has done so far."
            get_carries_the_current_revision [atomic]
            "The session carries the `Revision` that `Atomic::update` compares with."
            errors_carry_the_stores_name []
            "The store's name in errors and reports, such as `redis`."
        }
        set {
            set_creates []
            "Creates or replaces the record, whoever wrote it last."
            set_replaces []
            "Creates or replaces the record, whoever wrote it last."
            set_replaces_whoever_wrote_last []
            "Creates or replaces the record, whoever wrote it last."
            set_stores_changed_members []
            "Creates or replaces the record, whoever wrote it last."
        }
        destroy {
            destroy_removes []
            "Afterwards there is no session under this id."
            destroy_missing_is_no_error []
            "That there was none before is no error."
        }
        records {
            unknown_members_come_back []
            "Every byte of the record comes back, known member or not."
            unknown_cookie_members_come_back []
            "Every byte of the record comes back, known member or not."
            numbers_come_back_as_written []
            "Every byte of the record comes back, known member or not."
            escapes_come_back_as_written []
            "Every byte of the record comes back, known member or not."
            lone_surrogates_come_back []
            "Every byte of the record comes back, known member or not."
            unicode_comes_back []
            "Every byte of the record comes back, known member or not."
            spaces_come_back []
            "Every byte of the record comes back, known member or not."
            crlf_between_tokens_comes_back []
            "Every byte of the record comes back, known member or not."
            member_order_comes_back []
            "Every byte of the record comes back, known member or not."
            doubled_names_come_back []
            "Every byte of the record comes back, known member or not."
            a_session_without_members_comes_back []
            "Every byte of the record comes back, known member or not."
            a_record_without_cookie_gets_one []
            "Creates or replaces the record, whoever wrote it last."
            a_record_of_100_kb_comes_back []
            "Every byte of the record comes back, known member or not."
            a_record_of_1_mb_comes_back_or_is_too_large []
            "`TooLarge` where the backend has a limit, and the store's own failures."
        }
        expiry {
            a_sub_second_session_is_stored []
            "The time to live is `ceil(cookie.expires - now)` in seconds, or the store's default for a browser session."
            a_session_lives_as_long_as_its_cookie []
            "The time to live is `ceil(cookie.expires - now)` in seconds, or the store's default for a browser session."
            an_expired_session_is_gone []
            "Returns the session, or `None` when there is none or it has expired, whatever the backend's own cleaner has done so far."
            a_browser_session_is_kept []
            "The time to live is `ceil(cookie.expires - now)` in seconds, or the store's default for a browser session."
            a_session_of_31_days_is_kept []
            "The time to live is `ceil(cookie.expires - now)` in seconds, or the store's default for a browser session."
            a_session_until_the_year_10000_is_kept []
            "The time to live is `ceil(cookie.expires - now)` in seconds, or the store's default for a browser session."
            a_session_until_the_last_date_is_kept []
            "The time to live is `ceil(cookie.expires - now)` in seconds, or the store's default for a browser session."
            set_with_a_passed_expiry_stores_nothing []
            "A session whose expiry has passed is destroyed, not stored."
            set_with_a_passed_expiry_destroys []
            "A session whose expiry has passed is destroyed, not stored."
            set_replaces_the_expiry []
            "The time to live is `ceil(cookie.expires - now)` in seconds, or the store's default for a browser session."
            set_creates_over_an_expired_session []
            "Creates or replaces the record, whoever wrote it last."
            a_session_outlives_its_stale_cookie [touch]
            "Liveness is the store's expiry, never the record's `cookie.expires`, which Node.js leaves stale."
        }
        touch {
            touch_answers_extended [touch]
            "The expiry was moved."
            touch_extends [touch]
            "Moves the expiry to the one that `set` would give `session`."
            touch_shortens [touch]
            "Moves the expiry to the one that `set` would give `session`."
            touch_of_a_browser_session_gives_the_default [touch]
            "Moves the expiry to the one that `set` would give `session`."
            touch_keeps_the_members [touch]
            "It never writes the data, never creates and never revives."
            touch_keeps_the_cookie [touch]
            "It never writes the data, never creates and never revives."
            touch_missing_is_missing [touch]
            "There is no live session under this id. Nothing was created."
            touch_never_creates [touch]
            "It never writes the data, never creates and never revives."
            touch_never_revives [touch]
            "It never writes the data, never creates and never revives."
            touch_with_a_passed_expiry_ends_the_session [touch]
            "An expiry that has passed ends the session; the answer is then `Touched::Missing`."
            touch_with_a_passed_expiry_is_missing [touch]
            "An expiry that has passed ends the session; the answer is then `Touched::Missing`."
            touch_keeps_the_revision [touch atomic]
            "It does not change the revision."
        }
        stale_cookies {
            set_extends_a_session_that_was_read []
            "A session that was read from a store, and whose expiry nobody has changed, lives for its own max age from now, or longer: a stale `cookie.expires` ends no session."
            set_keeps_a_session_with_a_stale_cookie [touch]
            "A session that was read from a store, and whose expiry nobody has changed, lives for its own max age from now, or longer: a stale `cookie.expires` ends no session."
            an_attribute_that_is_changed_ends_no_session [touch]
            "A session that was read from a store, and whose expiry nobody has changed, lives for its own max age from now, or longer: a stale `cookie.expires` ends no session."
            create_extends_a_session_that_was_read [atomic]
            "So it does after `Atomic::create`, `Atomic::update` and `touch`."
            update_extends_a_session_that_was_read [atomic]
            "So it does after `Atomic::create`, `Atomic::update` and `touch`."
            update_keeps_a_session_with_a_stale_cookie [touch atomic]
            "So it does after `Atomic::create`, `Atomic::update` and `touch`."
            touch_extends_a_session_that_was_read [touch]
            "So it does after `Atomic::create`, `Atomic::update` and `touch`."
        }
        no_dates {
            set_with_an_expiry_that_is_not_a_date_is_kept []
            "An `expires` that is not a date counts as none and ends no session."
            touch_with_an_expiry_that_is_not_a_date_extends [touch]
            "An `expires` that is not a date counts as none and ends no session."
            update_with_an_expiry_that_is_not_a_date_is_kept [atomic]
            "An `expires` that is not a date counts as none and ends no session."
        }
        create {
            create_stores [atomic]
            "Stores only where there is no live session, and says so: two new sessions never share an id."
            create_answers_the_revision [atomic]
            "The session is stored; this is its revision."
            create_twice_is_exists [atomic]
            "Stores only where there is no live session, and says so: two new sessions never share an id."
            create_notices_a_set [atomic]
            "Stores only where there is no live session, and says so: two new sessions never share an id."
            create_keeps_the_session_that_exists [atomic]
            "A live session has this id. Nothing was changed."
            create_keeps_the_expiry_that_exists [atomic]
            "A live session has this id. Nothing was changed."
            create_over_an_expired_session_stores [atomic]
            "Stores only where there is no live session, and says so: two new sessions never share an id."
            create_after_destroy_stores [atomic]
            "Stores only where there is no live session, and says so: two new sessions never share an id."
            create_gives_the_time_to_live [atomic]
            "The time to live is `ceil(cookie.expires - now)` in seconds, or the store's default for a browser session."
            create_with_a_passed_expiry_stores_nothing [atomic]
            "A session whose expiry has passed is not stored; the answer is as if it had been."
            create_with_a_passed_expiry_keeps_the_session_that_exists [atomic]
            "A live session has this id. Nothing was changed."
            create_has_one_winner [atomic]
            "Stores only where there is no live session, and says so: two new sessions never share an id."
        }
        update {
            update_stores [atomic]
            "Stores only where the record is still the one that `session` was read from."
            update_without_changes_is_stored [atomic]
            "Stores only where the record is still the one that `session` was read from."
            update_answers_the_next_revision [atomic]
            "The session is stored; this is its new revision."
            update_notices_an_update [atomic]
            "Stores only where the record is still the one that `session` was read from."
            update_notices_a_set [atomic]
            "It notices what Node.js wrote in between, which knows nothing of revisions."
            update_notices_a_session_made_again [atomic]
            "Stores only where the record is still the one that `session` was read from."
            a_conflict_changes_nothing [atomic]
            "Somebody wrote in between. This is the record as it is now; nothing was changed."
            a_conflict_brings_the_current_record [atomic]
            "Somebody wrote in between. This is the record as it is now; nothing was changed."
            a_conflict_can_be_retried [atomic]
            "Somebody wrote in between. This is the record as it is now; nothing was changed."
            update_of_a_destroyed_session_is_gone [atomic]
            "There is no session any more. Nothing was created."
            update_never_brings_back_a_destroyed_session [atomic]
            "It never brings back what another request destroyed: the answer is then `Updated::Gone`."
            update_never_revives [atomic]
            "There is no session any more. Nothing was created."
            update_without_a_revision_is_invalid_data [atomic]
            "`InvalidData` for a session without a revision, then as `Store::set`."
            update_with_a_passed_expiry_destroys [atomic]
            "A session whose expiry has passed is destroyed, under the same condition; the answer is as if it had been stored."
            a_stale_update_with_a_passed_expiry_destroys_nothing [atomic]
            "A session whose expiry has passed is destroyed, under the same condition; the answer is as if it had been stored."
            update_gives_the_time_to_live [atomic]
            "The time to live is `ceil(cookie.expires - now)` in seconds, or the store's default for a browser session."
        }
        get_and_touch {
            get_and_touch_returns_the_session [atomic]
            "Returns the session and moves its expiry to `ttl` from now, both in one round trip."
            get_and_touch_extends [atomic]
            "Returns the session and moves its expiry to `ttl` from now, both in one round trip."
            get_and_touch_shortens [atomic]
            "Returns the session and moves its expiry to `ttl` from now, both in one round trip."
            get_and_touch_counts_up_to_the_next_second [atomic]
            "`ttl` counts up to the next whole second; `None` is the store's default for a browser session."
            get_and_touch_without_ttl_gives_the_default [atomic]
            "`ttl` counts up to the next whole second; `None` is the store's default for a browser session."
            get_and_touch_takes_long_ttls [atomic]
            "Returns the session and moves its expiry to `ttl` from now, both in one round trip."
            get_and_touch_missing_is_none [atomic]
            "`None` when there is no live session; nothing is created then."
            get_and_touch_never_creates [atomic]
            "`None` when there is no live session; nothing is created then."
            get_and_touch_never_revives [atomic]
            "`None` when there is no live session; nothing is created then."
            get_and_touch_refuses_a_ttl_of_zero [atomic]
            "`InvalidData` for a `ttl` of zero, then as `Store::get`."
            get_and_touch_keeps_the_record [atomic]
            "Returns the session and moves its expiry to `ttl` from now, both in one round trip."
            get_and_touch_carries_the_revision [atomic]
            "The session carries the `Revision` that `Atomic::update` compares with."
            get_and_touch_keeps_the_revision [atomic]
            "It does not change the revision."
        }
        ids {
            an_empty_id_is_refused []
            "An empty id is `InvalidId` everywhere; so is an id that a backend cannot keep apart from all others."
            touch_refuses_an_empty_id [touch]
            "An empty id is `InvalidId` everywhere; so is an id that a backend cannot keep apart from all others."
            conditional_writes_refuse_an_empty_id [atomic]
            "An empty id is `InvalidId` everywhere; so is an id that a backend cannot keep apart from all others."
            usual_ids_work []
            "Every other id works, whatever its characters."
            ids_with_odd_characters_are_kept_apart []
            "An empty id is `InvalidId` everywhere; so is an id that a backend cannot keep apart from all others."
            ids_with_control_characters_are_kept_apart []
            "An empty id is `InvalidId` everywhere; so is an id that a backend cannot keep apart from all others."
            ids_in_unicode_are_kept_apart []
            "An empty id is `InvalidId` everywhere; so is an id that a backend cannot keep apart from all others."
            ids_that_differ_in_case_are_kept_apart []
            "An empty id is `InvalidId` everywhere; so is an id that a backend cannot keep apart from all others."
            long_ids_are_kept_apart []
            "An empty id is `InvalidId` everywhere; so is an id that a backend cannot keep apart from all others."
            touch_takes_every_id_that_set_takes [touch]
            "Every other id works, whatever its characters."
            conditional_writes_take_every_id_that_set_takes [atomic]
            "Every other id works, whatever its characters."
        }
        concurrency {
            concurrent_sets_leave_one_whole_record []
            "A dropped future leaves no half a record: the write happens whole, at once or later, or not at all."
            concurrent_sessions_do_not_mix []
            "Returns the session, or `None` when there is none or it has expired, whatever the backend's own cleaner has done so far."
            concurrent_updates_lose_nothing [atomic]
            "Stores only where the record is still the one that `session` was read from."
            of_updates_that_meet_one_is_stored [atomic]
            "Somebody wrote in between. This is the record as it is now; nothing was changed."
            a_dropped_set_leaves_a_whole_record []
            "A dropped future leaves no half a record: the write happens whole, at once or later, or not at all."
            a_dropped_get_disturbs_no_other []
            "A dropped future leaves no half a record: the write happens whole, at once or later, or not at all."
            a_dropped_update_leaves_a_whole_record [atomic]
            "A dropped future leaves no half a record: the write happens whole, at once or later, or not at all."
        }
        runtimes {
            calls_work_on_any_runtime []
            "Calls work on any runtime, even when another runtime that used the store is idle or has ended."
            a_runtime_that_ends_breaks_no_other []
            "Calls work on any runtime, even when another runtime that used the store is idle or has ended."
            a_runtime_that_lacks_something_is_a_config_error []
            "A runtime without the timers or the I/O that a store needs is a `Config` error and no panic, and so is no runtime at all."
        }
        handles {
            a_second_handle_sees_a_set [second_handle]
            "Creates or replaces the record, whoever wrote it last."
            a_second_handle_sees_a_replacement [second_handle]
            "Creates or replaces the record, whoever wrote it last."
            a_second_handle_sees_a_destroy [second_handle]
            "Afterwards there is no session under this id."
            create_notices_a_second_handle [atomic second_handle]
            "Stores only where there is no live session, and says so: two new sessions never share an id."
            update_notices_a_second_handle [atomic second_handle]
            "Somebody wrote in between. This is the record as it is now; nothing was changed."
        }
        listing {
            ids_lists_live_sessions [enumerate ids]
            "The ids of the live sessions, in no order, at least once each."
            ids_leaves_expired_sessions_out [enumerate ids]
            "The ids of the live sessions, in no order, at least once each."
            ids_lists_more_than_a_page [enumerate ids]
            "The ids of the live sessions, in no order, at least once each."
            ids_come_back_as_they_were_set [enumerate ids]
            "The ids of the live sessions, in no order, at least once each."
            ids_lists_what_lives_throughout [enumerate ids]
            "A session that lives from the first item to the last is among them; one that comes or goes meanwhile is listed or not."
            ids_leaves_neighbours_out [enumerate ids neighbour]
            "The listing of all sessions of a store, reached by `Store::enumerate`."
            all_gives_ids_and_records [enumerate all]
            "The live sessions with their ids, as `ids` lists them."
            all_leaves_expired_sessions_out [enumerate all]
            "The live sessions with their ids, as `ids` lists them."
            all_lists_more_than_a_page [enumerate all]
            "The live sessions with their ids, as `ids` lists them."
            all_lists_what_lives_throughout [enumerate all]
            "A session that lives from the first item to the last is among them; one that comes or goes meanwhile is listed or not."
            all_leaves_neighbours_out [enumerate all neighbour]
            "The listing of all sessions of a store, reached by `Store::enumerate`."
        }
        length_and_clear {
            length_counts_live_sessions [enumerate length]
            "The number of live sessions."
            length_leaves_expired_sessions_out [enumerate length]
            "The number of live sessions."
            length_counts_more_than_a_page [enumerate length]
            "The number of live sessions."
            length_is_zero_once_all_are_gone [enumerate length]
            "The number of live sessions."
            length_leaves_neighbours_out [enumerate length neighbour]
            "The number of live sessions."
            clear_removes_every_session [enumerate clear]
            "Removes our sessions, those under this store's prefix, and nothing else."
            clear_removes_more_than_a_page [enumerate clear]
            "Removes our sessions, those under this store's prefix, and nothing else."
            clear_of_an_empty_store_is_no_error [enumerate clear]
            "Removes our sessions, those under this store's prefix, and nothing else."
            a_cleared_store_takes_sessions [enumerate clear]
            "Removes our sessions, those under this store's prefix, and nothing else."
            clear_leaves_neighbours_alone [enumerate clear neighbour]
            "Removes our sessions, those under this store's prefix, and nothing else."
        }
        foreign {
            a_foreign_record_is_read [raw]
            "Every byte of the record comes back, known member or not."
            a_session_is_stored_as_its_text [raw]
            "Every byte of the record comes back, known member or not."
            a_foreign_record_keeps_what_nobody_changes [raw]
            "Every byte of the record comes back, known member or not."
            a_foreign_record_with_a_stale_cookie_is_alive [raw]
            "Liveness is the store's expiry, never the record's `cookie.expires`, which Node.js leaves stale."
            what_express_takes_for_no_session_is_none [raw]
            "A record that Express takes for no session, such as `null`, is none."
            get_and_touch_of_no_session_is_none [raw atomic]
            "A record that Express takes for no session, such as `null`, is none."
            update_of_a_foreign_none_is_gone [raw atomic]
            "A record that Express takes for no session, such as `null`, is none."
            what_is_not_a_session_is_corrupt [raw]
            "`Corrupt` when the record is not a session, and the store's own failures."
            conditional_calls_on_what_is_not_a_session_are_corrupt [raw atomic]
            "`Corrupt` when the record is not a session, and the store's own failures."
            a_corrupt_record_is_not_quoted [raw]
            "No error quotes an id, session data or a secret."
            a_corrupt_record_can_be_replaced [raw]
            "Creates or replaces the record, whoever wrote it last."
            a_corrupt_record_can_be_destroyed [raw]
            "Afterwards there is no session under this id."
            all_goes_on_after_a_corrupt_record [raw enumerate all]
            "A record that cannot be read is an error in its place, and the stream goes on."
            update_notices_a_foreign_write [raw atomic]
            "It notices what Node.js wrote in between, which knows nothing of revisions."
            touch_leaves_the_stored_record_as_it_is [raw touch]
            "It never writes the data, never creates and never revives."
            a_passed_expiry_leaves_no_record [raw]
            "A session whose expiry has passed is destroyed, not stored."
            the_backend_counts_the_sessions_time [raw]
            "`Session::time_to_live` counts so."
        }
        outage {
            a_server_that_is_gone_is_unavailable [faults]
            "A backend that cannot be reached is `Unavailable`, and one that does not answer in time is a `Timeout`; calls work again once it is back."
            without_a_server_no_call_succeeds [faults]
            "The store's own failures."
            without_a_server_nothing_is_listed [faults enumerate length]
            "The store's own failures."
            without_a_server_nothing_is_cleared [faults enumerate clear]
            "The store's own failures; some sessions are gone then."
            a_listing_that_breaks_off_is_an_error [faults enumerate ids]
            "A session that lives from the first item to the last is among them; one that comes or goes meanwhile is listed or not."
            a_frozen_server_is_a_timeout_by_the_deadline [faults]
            "Every call ends within the store's deadline, with an `Error` at the worst."
            calls_under_way_end_with_the_server [faults]
            "A backend that cannot be reached is `Unavailable`, and one that does not answer in time is a `Timeout`; calls work again once it is back."
            calls_work_again_after_an_outage [faults]
            "A backend that cannot be reached is `Unavailable`, and one that does not answer in time is a `Timeout`; calls work again once it is back."
            one_call_at_most_notices_a_restart [faults]
            "A connection that is lost is made again, and one that answers nothing is left after one deadline."
            a_connection_that_was_cut_is_made_again [faults]
            "A connection that is lost is made again, and one that answers nothing is left after one deadline."
            a_silent_connection_is_left_after_one_deadline [faults]
            "A connection that is lost is made again, and one that answers nothing is left after one deadline."
            a_lost_answer_is_no_conflict [faults atomic]
            "A write whose answer is lost is an error with `outcome_unknown`, or was carried out once; it is never told as a conflict with itself."
            a_write_whose_answer_was_lost_is_not_told_as_undone [faults]
            "A write whose answer is lost is an error with `outcome_unknown`, or was carried out once; it is never told as a conflict with itself."
            an_outage_quotes_nothing [faults]
            "No error quotes an id, session data or a secret."
        }
        load {
            a_thousand_tasks_share_a_store []
            "A store is used through `&self` and shared; `Arc<S>`, `Box<S>` and `&S` are stores too."
            a_dropped_call_leaves_the_others_their_answers []
            "A dropped future leaves no half a record: the write happens whole, at once or later, or not at all."
            a_dropped_set_of_a_new_session_leaves_no_half []
            "A dropped future leaves no half a record: the write happens whole, at once or later, or not at all."
            large_records_are_read_at_once []
            "Every byte of the record comes back, known member or not."
            conditional_writes_take_every_record_that_set_takes [atomic]
            "As `Store::set`."
        }
        sequences {
            sequences_match_a_model []
            "A place where sessions live: express-session's own four operations."
            conditional_sequences_match_a_model [atomic]
            "Writes that lose nothing when two requests meet, reached by `Store::atomic`."
        }
    } } };
}

//! The list of cases that [`CASES`](crate::CASES) and [`suite!`](crate::suite) share, so that neither can miss one.

/// Calls a macro with some input followed by the list: each group with its cases, and each case with the parts that it
/// needs and the sentence of the contract that it tests.
#[doc(hidden)]
#[macro_export]
macro_rules! __cases {
    ($then:path, $($input:tt)*) => { $then! { $($input)* {
        get {
            get_missing_is_none []
            "Returns the session, or `None` if it does not exist or has expired, even if the backend has not removed it yet."
            get_carries_the_current_revision [atomic]
            "The session carries the `Revision` that `Atomic::update` compares with."
            errors_carry_the_stores_name []
            "Returns the store's name in errors and reports, such as `redis`."
        }
        set {
            set_creates []
            "Creates or replaces the record, no matter who wrote it last."
            set_replaces []
            "Creates or replaces the record, no matter who wrote it last."
            set_replaces_whoever_wrote_last []
            "Creates or replaces the record, no matter who wrote it last."
            set_stores_changed_members []
            "Creates or replaces the record, no matter who wrote it last."
        }
        destroy {
            destroy_removes []
            "Removes the session."
            destroy_missing_is_no_error []
            "A session that does not exist is not an error."
        }
        records {
            unknown_members_come_back []
            "The record comes back byte for byte, unknown members included."
            unknown_cookie_members_come_back []
            "The record comes back byte for byte, unknown members included."
            numbers_come_back_as_written []
            "The record comes back byte for byte, unknown members included."
            escapes_come_back_as_written []
            "The record comes back byte for byte, unknown members included."
            lone_surrogates_come_back []
            "The record comes back byte for byte, unknown members included."
            unicode_comes_back []
            "The record comes back byte for byte, unknown members included."
            spaces_come_back []
            "The record comes back byte for byte, unknown members included."
            crlf_between_tokens_comes_back []
            "The record comes back byte for byte, unknown members included."
            member_order_comes_back []
            "The record comes back byte for byte, unknown members included."
            doubled_names_come_back []
            "The record comes back byte for byte, unknown members included."
            a_session_without_members_comes_back []
            "The record comes back byte for byte, unknown members included."
            a_record_without_cookie_gets_one []
            "Creates or replaces the record, no matter who wrote it last."
            a_record_of_100_kb_comes_back []
            "The record comes back byte for byte, unknown members included."
            a_record_of_1_mb_comes_back_or_is_too_large []
            "`TooLarge` if the record exceeds the backend's limit; otherwise the store's own errors."
        }
        expiry {
            a_sub_second_session_is_stored []
            "The time to live is `ceil(cookie.expires - now)` in seconds, or the store's default for a browser session."
            a_session_lives_as_long_as_its_cookie []
            "The time to live is `ceil(cookie.expires - now)` in seconds, or the store's default for a browser session."
            an_expired_session_is_gone []
            "Returns the session, or `None` if it does not exist or has expired, even if the backend has not removed it yet."
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
            "Creates or replaces the record, no matter who wrote it last."
            a_session_outlives_its_stale_cookie [touch]
            "The store's expiry decides whether a session is live, never the record's `cookie.expires`, which Node.js leaves stale."
        }
        touch {
            touch_answers_extended [touch]
            "The expiry was moved."
            touch_extends [touch]
            "Sets the expiry that `set` would give `session`."
            touch_shortens [touch]
            "Sets the expiry that `set` would give `session`."
            touch_of_a_browser_session_gives_the_default [touch]
            "Sets the expiry that `set` would give `session`."
            touch_keeps_the_members [touch]
            "It never changes the data, never creates a session and never revives one."
            touch_keeps_the_cookie [touch]
            "It never changes the data, never creates a session and never revives one."
            touch_missing_is_missing [touch]
            "No live session has this id. Nothing was created."
            touch_never_creates [touch]
            "It never changes the data, never creates a session and never revives one."
            touch_never_revives [touch]
            "It never changes the data, never creates a session and never revives one."
            touch_with_a_passed_expiry_ends_the_session [touch]
            "If that expiry has passed, the session ends and the answer is `Touched::Missing`."
            touch_with_a_passed_expiry_is_missing [touch]
            "If that expiry has passed, the session ends and the answer is `Touched::Missing`."
            touch_keeps_the_revision [touch atomic]
            "It does not change the revision."
        }
        stale_cookies {
            set_extends_a_session_that_was_read []
            "A session that was read from a store, and whose expiry has not been changed since, lives for at least its own max age from now: a stale `cookie.expires` does not end it."
            set_keeps_a_session_with_a_stale_cookie [touch]
            "A session that was read from a store, and whose expiry has not been changed since, lives for at least its own max age from now: a stale `cookie.expires` does not end it."
            an_attribute_that_is_changed_ends_no_session [touch]
            "A session that was read from a store, and whose expiry has not been changed since, lives for at least its own max age from now: a stale `cookie.expires` does not end it."
            create_extends_a_session_that_was_read [atomic]
            "The same holds for `Atomic::create`, `Atomic::update` and `touch`."
            update_extends_a_session_that_was_read [atomic]
            "The same holds for `Atomic::create`, `Atomic::update` and `touch`."
            update_keeps_a_session_with_a_stale_cookie [touch atomic]
            "The same holds for `Atomic::create`, `Atomic::update` and `touch`."
            touch_extends_a_session_that_was_read [touch]
            "The same holds for `Atomic::create`, `Atomic::update` and `touch`."
        }
        no_dates {
            set_with_an_expiry_that_is_not_a_date_is_kept []
            "An `expires` that is not a date is ignored: it does not end the session."
            touch_with_an_expiry_that_is_not_a_date_extends [touch]
            "An `expires` that is not a date is ignored: it does not end the session."
            update_with_an_expiry_that_is_not_a_date_is_kept [atomic]
            "An `expires` that is not a date is ignored: it does not end the session."
        }
        create {
            create_stores [atomic]
            "Stores the session only if no live session has this id, so two new sessions never share one."
            create_answers_the_revision [atomic]
            "The session is stored; this is its revision."
            create_twice_is_exists [atomic]
            "Stores the session only if no live session has this id, so two new sessions never share one."
            create_notices_a_set [atomic]
            "Stores the session only if no live session has this id, so two new sessions never share one."
            create_keeps_the_session_that_exists [atomic]
            "A live session has this id. Nothing was changed."
            create_keeps_the_expiry_that_exists [atomic]
            "A live session has this id. Nothing was changed."
            create_over_an_expired_session_stores [atomic]
            "Stores the session only if no live session has this id, so two new sessions never share one."
            create_after_destroy_stores [atomic]
            "Stores the session only if no live session has this id, so two new sessions never share one."
            create_gives_the_time_to_live [atomic]
            "The time to live is `ceil(cookie.expires - now)` in seconds, or the store's default for a browser session."
            create_with_a_passed_expiry_stores_nothing [atomic]
            "A session whose expiry has passed is not stored; the answer is the same as if it had been."
            create_with_a_passed_expiry_keeps_the_session_that_exists [atomic]
            "A live session has this id. Nothing was changed."
            create_has_one_winner [atomic]
            "Stores the session only if no live session has this id, so two new sessions never share one."
        }
        update {
            update_stores [atomic]
            "Stores the session only if the record has not changed since `session` was read."
            update_without_changes_is_stored [atomic]
            "Stores the session only if the record has not changed since `session` was read."
            update_answers_the_next_revision [atomic]
            "The session is stored; this is its new revision."
            update_notices_an_update [atomic]
            "Stores the session only if the record has not changed since `session` was read."
            update_notices_a_set [atomic]
            "It notices writes by Node.js, which does not know about revisions."
            update_notices_a_session_made_again [atomic]
            "Stores the session only if the record has not changed since `session` was read."
            a_conflict_changes_nothing [atomic]
            "Another writer changed the record in the meantime. This is the current record; nothing was changed."
            a_conflict_brings_the_current_record [atomic]
            "Another writer changed the record in the meantime. This is the current record; nothing was changed."
            a_conflict_can_be_retried [atomic]
            "Another writer changed the record in the meantime. This is the current record; nothing was changed."
            update_of_a_destroyed_session_is_gone [atomic]
            "The session no longer exists. Nothing was created."
            update_never_brings_back_a_destroyed_session [atomic]
            "It never brings back a session that another request destroyed: the answer is then `Updated::Gone`."
            update_never_revives [atomic]
            "The session no longer exists. Nothing was created."
            update_without_a_revision_is_invalid_data [atomic]
            "`InvalidData` for a session without a revision; otherwise as for `Store::set`."
            update_with_a_passed_expiry_destroys [atomic]
            "A session whose expiry has passed is destroyed, under the same condition; the answer is the same as if it had been stored."
            a_stale_update_with_a_passed_expiry_destroys_nothing [atomic]
            "A session whose expiry has passed is destroyed, under the same condition; the answer is the same as if it had been stored."
            update_gives_the_time_to_live [atomic]
            "The time to live is `ceil(cookie.expires - now)` in seconds, or the store's default for a browser session."
        }
        get_and_touch {
            get_and_touch_returns_the_session [atomic]
            "Returns the session and sets its expiry to `ttl` from now, in one round trip."
            get_and_touch_extends [atomic]
            "Returns the session and sets its expiry to `ttl` from now, in one round trip."
            get_and_touch_shortens [atomic]
            "Returns the session and sets its expiry to `ttl` from now, in one round trip."
            get_and_touch_counts_up_to_the_next_second [atomic]
            "`ttl` is rounded up to whole seconds; `None` means the store's default for a browser session."
            get_and_touch_without_ttl_gives_the_default [atomic]
            "`ttl` is rounded up to whole seconds; `None` means the store's default for a browser session."
            get_and_touch_takes_long_ttls [atomic]
            "Returns the session and sets its expiry to `ttl` from now, in one round trip."
            get_and_touch_missing_is_none [atomic]
            "Returns `None`, and creates nothing, if no live session has this id."
            get_and_touch_never_creates [atomic]
            "Returns `None`, and creates nothing, if no live session has this id."
            get_and_touch_never_revives [atomic]
            "Returns `None`, and creates nothing, if no live session has this id."
            get_and_touch_refuses_a_ttl_of_zero [atomic]
            "`InvalidData` for a `ttl` of zero; otherwise as for `Store::get`."
            get_and_touch_keeps_the_record [atomic]
            "Returns the session and sets its expiry to `ttl` from now, in one round trip."
            get_and_touch_carries_the_revision [atomic]
            "The session carries the `Revision` that `Atomic::update` compares with."
            get_and_touch_keeps_the_revision [atomic]
            "It does not change the revision."
        }
        ids {
            an_empty_id_is_refused []
            "Every method returns `InvalidId` for an empty id, and for an id that the backend would confuse with another."
            touch_refuses_an_empty_id [touch]
            "Every method returns `InvalidId` for an empty id, and for an id that the backend would confuse with another."
            conditional_writes_refuse_an_empty_id [atomic]
            "Every method returns `InvalidId` for an empty id, and for an id that the backend would confuse with another."
            usual_ids_work []
            "Every other id works, whatever its characters."
            ids_with_odd_characters_are_kept_apart []
            "Every method returns `InvalidId` for an empty id, and for an id that the backend would confuse with another."
            ids_with_control_characters_are_kept_apart []
            "Every method returns `InvalidId` for an empty id, and for an id that the backend would confuse with another."
            ids_in_unicode_are_kept_apart []
            "Every method returns `InvalidId` for an empty id, and for an id that the backend would confuse with another."
            ids_that_differ_in_case_are_kept_apart []
            "Every method returns `InvalidId` for an empty id, and for an id that the backend would confuse with another."
            long_ids_are_kept_apart []
            "Every method returns `InvalidId` for an empty id, and for an id that the backend would confuse with another."
            touch_takes_every_id_that_set_takes [touch]
            "Every other id works, whatever its characters."
            conditional_writes_take_every_id_that_set_takes [atomic]
            "Every other id works, whatever its characters."
            a_refusal_quotes_nothing []
            "No error quotes an id, session data or a secret."
        }
        concurrency {
            concurrent_sets_leave_one_whole_record []
            "Dropping a future never leaves a partial record: the write happens as a whole, now or later, or not at all."
            concurrent_sessions_do_not_mix []
            "Returns the session, or `None` if it does not exist or has expired, even if the backend has not removed it yet."
            concurrent_updates_lose_nothing [atomic]
            "Stores the session only if the record has not changed since `session` was read."
            of_updates_that_meet_one_is_stored [atomic]
            "Another writer changed the record in the meantime. This is the current record; nothing was changed."
            a_dropped_set_leaves_a_whole_record []
            "Dropping a future never leaves a partial record: the write happens as a whole, now or later, or not at all."
            a_dropped_get_disturbs_no_other []
            "Dropping a future never leaves a partial record: the write happens as a whole, now or later, or not at all."
            a_dropped_update_leaves_a_whole_record [atomic]
            "Dropping a future never leaves a partial record: the write happens as a whole, now or later, or not at all."
            a_dropped_set_leaves_no_endless_record []
            "Dropping a future never leaves a partial record: the write happens as a whole, now or later, or not at all."
            a_dropped_create_leaves_no_endless_record [atomic]
            "Dropping a future never leaves a partial record: the write happens as a whole, now or later, or not at all."
        }
        races {
            a_touch_that_meets_a_set_undoes_nothing [touch]
            "It never changes the data, never creates a session and never revives one."
            a_touch_that_meets_a_destroy_revives_nothing [touch]
            "It never changes the data, never creates a session and never revives one."
            a_get_and_touch_that_meets_a_set_undoes_nothing [atomic]
            "Returns the session and sets its expiry to `ttl` from now, in one round trip."
            a_get_and_touch_that_meets_a_destroy_revives_nothing [atomic]
            "Returns `None`, and creates nothing, if no live session has this id."
            a_create_that_meets_a_set_overwrites_nothing [atomic]
            "Stores the session only if no live session has this id, so two new sessions never share one."
            an_update_that_meets_a_set_undoes_nothing [atomic]
            "It notices writes by Node.js, which does not know about revisions."
            an_update_that_meets_a_destroy_revives_nothing [atomic]
            "It never brings back a session that another request destroyed: the answer is then `Updated::Gone`."
        }
        runtimes {
            calls_work_on_any_runtime []
            "Calls work on any runtime, even if another runtime that used the store is idle or has shut down."
            a_runtime_that_ends_breaks_no_other []
            "Calls work on any runtime, even if another runtime that used the store is idle or has shut down."
            a_runtime_that_lacks_something_is_a_config_error []
            "A runtime without the timers or the I/O that the store needs, or no runtime at all, is a `Config` error, not a panic."
        }
        handles {
            a_second_handle_sees_a_set [second_handle]
            "Creates or replaces the record, no matter who wrote it last."
            a_second_handle_sees_a_replacement [second_handle]
            "Creates or replaces the record, no matter who wrote it last."
            a_second_handle_sees_a_destroy [second_handle]
            "Removes the session."
            create_notices_a_second_handle [atomic second_handle]
            "Stores the session only if no live session has this id, so two new sessions never share one."
            update_notices_a_second_handle [atomic second_handle]
            "Another writer changed the record in the meantime. This is the current record; nothing was changed."
        }
        listing {
            ids_lists_live_sessions [enumerate ids]
            "Returns the ids of the live sessions, in any order, each at least once."
            ids_leaves_expired_sessions_out [enumerate ids]
            "Returns the ids of the live sessions, in any order, each at least once."
            ids_lists_more_than_a_page [enumerate ids]
            "Returns the ids of the live sessions, in any order, each at least once."
            ids_lists_sessions_however_they_were_stored [atomic enumerate ids]
            "Returns the ids of the live sessions, in any order, each at least once."
            ids_come_back_as_they_were_set [enumerate ids]
            "Returns the ids of the live sessions, in any order, each at least once."
            ids_lists_what_lives_throughout [enumerate ids]
            "A session that is live from the first item to the last is listed; one that is created or ends in between may or may not be."
            ids_leaves_neighbours_out [enumerate ids neighbour]
            "Lists the sessions of one store; see `Store::enumerate`."
            all_gives_ids_and_records [enumerate all]
            "The id that `Store::get` takes."
            all_gives_each_session_as_get_does [enumerate all]
            "The session, as `Store::get` returns it."
            all_leaves_expired_sessions_out [enumerate all]
            "Returns the live sessions, as `ids` lists them."
            all_lists_more_than_a_page [enumerate all]
            "Returns the live sessions, as `ids` lists them."
            all_lists_sessions_however_they_were_stored [atomic enumerate all]
            "Returns the live sessions, as `ids` lists them."
            all_lists_what_lives_throughout [enumerate all]
            "A session that is live from the first item to the last is listed; one that is created or ends in between may or may not be."
            all_leaves_neighbours_out [enumerate all neighbour]
            "Lists the sessions of one store; see `Store::enumerate`."
        }
        time_left {
            all_tells_the_time_left [enumerate all]
            "How long the session lives from now if nobody extends it, to within a second."
            all_tells_the_time_left_after_a_touch [touch enumerate all]
            "How long the session lives from now if nobody extends it, to within a second."
            all_tells_the_time_left_in_the_backend [raw enumerate all]
            "How long the session lives from now if nobody extends it, to within a second."
            a_session_without_an_end_has_no_time_left [raw endless enumerate all]
            "`None` if it does not end by itself."
            conditional_writes_count_the_time_as_set_does [atomic enumerate all]
            "The time to live is `ceil(cookie.expires - now)` in seconds, or the store's default for a browser session."
            every_call_gives_a_browser_session_the_same_time [enumerate all]
            "The time to live is `ceil(cookie.expires - now)` in seconds, or the store's default for a browser session."
            set_keeps_a_copy_for_its_time [enumerate all]
            "A session with a store expiry lives until then, whatever its cookie says, and its record does not change."
            create_keeps_a_copy_for_its_time [atomic enumerate all]
            "The same holds for `Atomic::create`."
        }
        length_and_clear {
            length_counts_live_sessions [enumerate length]
            "Returns the number of live sessions."
            length_leaves_expired_sessions_out [enumerate length]
            "Returns the number of live sessions."
            length_counts_more_than_a_page [enumerate length]
            "Returns the number of live sessions."
            length_counts_sessions_however_they_were_stored [atomic enumerate length]
            "Returns the number of live sessions."
            length_is_zero_once_all_are_gone [enumerate length]
            "Returns the number of live sessions."
            length_leaves_neighbours_out [enumerate length neighbour]
            "Returns the number of live sessions."
            clear_removes_every_session [enumerate clear]
            "Removes the sessions under this store's prefix and nothing else."
            clear_removes_more_than_a_page [enumerate clear]
            "Removes the sessions under this store's prefix and nothing else."
            clear_removes_sessions_however_they_were_stored [atomic enumerate clear]
            "Removes the sessions under this store's prefix and nothing else."
            clear_of_an_empty_store_is_no_error [enumerate clear]
            "Removes the sessions under this store's prefix and nothing else."
            a_cleared_store_takes_sessions [enumerate clear]
            "Removes the sessions under this store's prefix and nothing else."
            clear_leaves_neighbours_alone [enumerate clear neighbour]
            "Removes the sessions under this store's prefix and nothing else."
        }
        foreign {
            a_foreign_record_is_read [raw]
            "The record comes back byte for byte, unknown members included."
            a_session_is_stored_as_its_text [raw]
            "The record comes back byte for byte, unknown members included."
            a_foreign_record_keeps_what_nobody_changes [raw]
            "The record comes back byte for byte, unknown members included."
            a_foreign_record_with_a_stale_cookie_is_alive [raw]
            "The store's expiry decides whether a session is live, never the record's `cookie.expires`, which Node.js leaves stale."
            what_express_takes_for_no_session_is_none [raw]
            "A record that Express treats as no session, such as `null`, is `None`."
            get_and_touch_of_no_session_is_none [raw atomic]
            "A record that Express treats as no session, such as `null`, is `None`."
            update_of_a_foreign_none_is_gone [raw atomic]
            "A record that Express treats as no session, such as `null`, is `None`."
            what_is_not_a_session_is_corrupt [raw]
            "`Corrupt` if the record is not a session; otherwise the store's own errors."
            conditional_calls_on_what_is_not_a_session_are_corrupt [raw atomic]
            "`Corrupt` if the record is not a session; otherwise the store's own errors."
            a_corrupt_record_is_not_quoted [raw]
            "No error quotes an id, session data or a secret."
            a_corrupt_record_can_be_replaced [raw]
            "Creates or replaces the record, no matter who wrote it last."
            a_corrupt_record_can_be_destroyed [raw]
            "Removes the session."
            all_goes_on_after_a_corrupt_record [raw enumerate all]
            "A record that cannot be read yields an error, and the stream continues."
            update_notices_a_foreign_write [raw atomic]
            "It notices writes by Node.js, which does not know about revisions."
            touch_leaves_the_stored_record_as_it_is [raw touch]
            "It never changes the data, never creates a session and never revives one."
            a_passed_expiry_leaves_no_record [raw]
            "A session whose expiry has passed is destroyed, not stored."
            the_backend_counts_the_sessions_time [raw]
            "`SessionData::time_to_live` computes this."
        }
        find {
            find_lists_the_sessions_with_the_value [find_by]
            "Returns the live sessions that have a value at a path, as `Enumerate::all` lists them."
            find_leaves_expired_sessions_out [find_by]
            "Returns the live sessions that have a value at a path, as `Enumerate::all` lists them."
            find_lists_more_than_a_page [find_by]
            "Returns the live sessions that have a value at a path, as `Enumerate::all` lists them."
            find_tells_values_apart_as_javascript_does [find_by]
            "`value` is a JSON text, compared as `SessionData::has_value` compares it."
            find_misses_no_record [find_by]
            "It never misses a session, whoever wrote it, and whatever its record looks like."
            find_does_not_trust_what_it_looks_for [find_by]
            "The answer is `None` if the store cannot tell by an index which sessions these are. A caller then lists all sessions."
            known_sessions_are_found [find_by]
            "Returns the live sessions that have a value at a path, of those that this store, or another one with the same options, wrote last."
            known_sessions_follow_their_last_write [find_by]
            "No session without the value is returned, whoever wrote it."
            known_sessions_need_an_index_or_a_list [find_by]
            "The answer is `None` if the store has no index on the path and keeps no list by it. A caller then lists all sessions."
            an_index_that_exists_is_not_an_error [find_by]
            "Creates the index for a path and waits for it. An index that exists is not an error."
            an_index_refuses_no_session [find_by]
            "It refuses no session that was accepted without it, whoever writes it."
            a_path_that_cannot_be_indexed_is_invalid_data [find_by]
            "`InvalidData` for a path that the backend cannot index, and `Unsupported` if it cannot look into the store's records; otherwise the store's own errors."
        }
        outage {
            a_server_that_is_gone_is_unavailable [faults]
            "A backend that cannot be reached is `Unavailable`, and one that does not answer in time is a `Timeout`; calls work again once it is back."
            without_a_server_no_call_succeeds [faults]
            "The store's own errors."
            without_a_server_nothing_is_listed [faults enumerate length]
            "The store's own errors."
            without_a_server_nothing_is_cleared [faults enumerate clear]
            "The store's own errors."
            a_frozen_server_is_a_timeout_by_the_deadline [faults]
            "Every call returns within the store's deadline, if necessary with an `Error`."
            calls_under_way_end_with_the_server [faults]
            "A backend that cannot be reached is `Unavailable`, and one that does not answer in time is a `Timeout`; calls work again once it is back."
            calls_work_again_after_an_outage [faults]
            "A backend that cannot be reached is `Unavailable`, and one that does not answer in time is a `Timeout`; calls work again once it is back."
            one_call_at_most_notices_a_restart [faults]
            "A lost connection is made again, and one that answers nothing is given up after one deadline."
            a_connection_that_was_cut_is_made_again [faults]
            "A lost connection is made again, and one that answers nothing is given up after one deadline."
            a_silent_connection_is_left_after_one_deadline [faults]
            "A lost connection is made again, and one that answers nothing is given up after one deadline."
            a_lost_answer_is_no_conflict [faults atomic]
            "A write whose answer is lost is an error with `outcome_unknown`, or happened exactly once; it is never reported as a conflict with itself."
            a_write_whose_answer_was_lost_is_not_told_as_undone [faults]
            "A write whose answer is lost is an error with `outcome_unknown`, or happened exactly once; it is never reported as a conflict with itself."
            an_outage_quotes_nothing [faults]
            "No error quotes an id, session data or a secret."
        }
        interruption {
            a_listing_that_breaks_off_is_an_error [faults enumerate ids]
            "A session that is live from the first item to the last is listed; one that is created or ends in between may or may not be."
            a_clear_that_breaks_off_may_have_happened [faults enumerate clear]
            "If some sessions may be gone by then, `outcome_unknown` is true."
        }
        load {
            a_thousand_tasks_share_a_store []
            "Methods take `&self`, so a store can be shared; `Arc<S>`, `Box<S>` and `&S` are stores too."
            a_dropped_call_leaves_the_others_their_answers []
            "Dropping a future never leaves a partial record: the write happens as a whole, now or later, or not at all."
            a_dropped_set_of_a_new_session_leaves_no_half []
            "Dropping a future never leaves a partial record: the write happens as a whole, now or later, or not at all."
            large_records_are_read_at_once []
            "The record comes back byte for byte, unknown members included."
            conditional_writes_take_every_record_that_set_takes [atomic]
            "As for `Store::set`."
        }
        sequences {
            sequences_match_a_model []
            "Keeps sessions: the four operations that express-session calls on a store."
            conditional_sequences_match_a_model [atomic]
            "Conditional writes, which keep every change when two requests write at once; see `Store::atomic`."
        }
    } } };
}

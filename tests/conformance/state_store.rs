//! What every `StateStore` and `FileStore` does: the behaviours below, each run over SQLite and over PostgreSQL.

mod access;
mod announcing;
mod asking;
mod away;
mod claiming;
mod collecting;
mod crowd;
mod facts;
mod files;
mod fixtures;
mod ledger;
mod model;
mod moving;
mod parking;
mod reading;
mod registration;
mod renewing;
mod schema;
mod scratch;
mod settling;
mod sharing;
mod sweeping;
mod trash;
mod webhooks;

/// Makes one test of every behaviour and database.
macro_rules! behaviours {
    ($($module:ident { $($behaviour:ident,)+ })+) => {
        mod sqlite {
            $(mod $module {
                $(#[tokio::test(flavor = "multi_thread")]
                async fn $behaviour() {
                    let scratch = super::super::scratch::Scratch::sqlite().await;
                    scratch.run(super::super::$module::$behaviour).await;
                })+
            })+
        }

        mod postgresql {
            $(mod $module {
                $(#[tokio::test(flavor = "multi_thread")]
                #[ignore = "needs PostgreSQL: run `make test`"]
                async fn $behaviour() {
                    let scratch = super::super::scratch::Scratch::postgresql().await;
                    scratch.run(super::super::$module::$behaviour).await;
                })+
            })+
        }
    };
}

behaviours! {
    registration {
        a_new_version_reads_back_as_it_was_registered,
        an_upload_reads_back_as_it_was_registered,
        the_same_version_again_changes_nothing,
        ten_identical_registrations_at_once_make_one_version,
        the_newer_of_two_racing_versions_is_current,
        an_older_version_that_arrives_late_does_not_become_current,
        without_an_order_the_last_to_arrive_is_current,
        a_file_has_at_most_one_version_that_nobody_named,
        tenants_do_not_share_files,
        rows_are_made_all_or_none,
        a_version_may_want_nothing,
        a_nul_in_text_does_no_harm,
    }
    access {
        access_reads_back_and_can_be_replaced,
        the_access_that_was_decided_last_holds,
        a_change_before_the_first_version_is_remembered,
        access_that_came_with_an_older_version_does_not_come_back,
        without_a_word_a_new_version_keeps_the_access,
        tokens_are_found_until_they_are_revoked_or_expire,
        logins_are_found_in_any_letter_case,
    }
    announcing {
        what_settles_is_told_in_order_and_the_end_once,
        what_was_not_written_is_not_told,
        what_is_put_back_is_told_like_what_was_made_anew,
        what_ends_at_its_deadline_is_told,
        of_ten_collectors_one_takes_each_news,
        who_follows_the_log_misses_nothing,
        one_at_a_time_has_the_turn_to_publish,
        only_what_was_published_is_forgotten,
        news_of_what_is_gone_are_dropped,
        what_was_served_lately_is_told_by_lane,
        who_may_see_it_is_told_as_it_is_now,
        an_impossible_row_does_not_hold_up_the_others,
    }
    asking {
        absent_rows_become_pending_once,
        pending_rows_move_to_more_urgent_lanes_only,
        settled_rows_stay,
        unknown_versions_are_not_found,
        ten_at_once_start_every_row_once,
        of_twenty_at_once_sixteen_of_a_family_start,
        a_promoted_row_counts_as_woken_once,
        a_promoted_row_keeps_its_lease_and_its_time,
    }
    claiming {
        a_claim_takes_every_waiting_row_and_counts_an_attempt,
        of_twenty_claimers_exactly_one_wins,
        held_rows_are_not_taken_but_new_ones_are,
        nothing_to_take_is_none,
        the_lane_is_that_of_the_most_urgent_row_taken,
        an_expired_lease_passes_to_the_next_and_the_first_can_neither_settle_nor_extend,
        an_expired_lease_cannot_be_used_even_if_nobody_took_the_rows,
        an_extended_lease_lasts,
        the_first_attempt_is_remembered,
        a_viewable_row_whose_worker_died_is_taken_again,
    }
    settling {
        success_shows_its_content_and_ends_the_work,
        only_held_rows_are_written,
        a_second_settle_writes_nothing,
        an_error_is_final_and_says_why,
        a_retry_is_due_after_its_wait_by_the_databases_clock,
        a_success_forgets_earlier_failures,
        crashes_are_counted_apart,
        a_claim_handed_back_leaves_no_trace,
        viewable_keeps_the_lease_and_success_completes_it,
        viewable_twice_is_refused,
        an_error_takes_viewable_pages_away,
        many_pages_read_back_in_order,
        packed_pages_read_back_where_they_are,
    }
    facts {
        bytes_and_picture_read_back,
        unknown_versions_are_not_found,
        a_version_that_nobody_named_is_named_by_its_digest,
        equal_content_of_a_version_that_nobody_named_is_one_version,
        equal_content_leaves_a_newer_current_version_alone,
        the_version_that_stays_takes_the_place_in_the_order,
        named_versions_with_equal_content_stay_distinct,
        content_is_compared_within_a_file_only,
    }
    moving {
        a_row_moves_to_another_lane_as_if_never_tried,
    }
    sharing {
        of_ten_with_the_same_bytes_one_renders,
        what_another_version_has_is_taken_over,
        an_error_is_nobody_elses,
        nobody_waits_for_what_has_failed_before,
        a_lost_lease_passes_the_turn_on,
        only_the_same_recipe_is_the_same_picture,
        tenants_share_only_when_told_to,
        a_wait_does_not_count_as_an_attempt,
    }
    sweeping {
        patience_is_doubled_with_every_wake,
        of_ten_sweepers_one_gets_a_version,
        at_most_the_limit_comes_back_and_the_rest_later,
        held_settled_and_later_rows_are_not_due,
        an_expired_lease_is_due_at_once,
        the_most_urgent_lane_and_the_tenant_are_told,
        overdue_rows_end_and_others_do_not,
        a_row_that_somebody_holds_is_not_overdue,
        each_lane_has_its_own_deadline,
        excused_time_does_not_count,
        absurd_times_do_not_hold_a_row_for_ever,
    }
    ledger {
        every_attempt_is_remembered_with_worker_times_and_outcomes,
        what_changed_nothing_leaves_no_entry,
        asking_handing_back_deadlines_and_dead_wakes_are_told,
        a_dead_wake_is_made_up_for_by_the_sweeper,
        a_version_that_is_another_one_leaves_word_with_it,
        a_version_that_kills_children_is_quarantined_until_redriven,
        redriven_rows_begin_anew_and_are_woken_at_once,
        a_filter_matches_what_it_says,
        what_is_in_the_trash_did_not_fail,
        what_fails_again_is_not_found_again_before_a_moment,
        what_ended_at_its_deadline_is_tried_anew_a_few_times,
        old_entries_are_forgotten_in_batches,
    }
    webhooks {
        a_webhook_reads_back_and_is_told_what_comes,
        an_old_secret_counts_for_its_grace,
        one_at_a_time_has_the_turn_of_a_webhook,
        what_failed_comes_again_after_its_wait,
        one_that_fails_is_paused_and_in_the_end_switched_off,
        what_a_webhook_waits_for_is_kept,
    }
    trash {
        what_is_in_the_trash_is_not_worked_on_until_it_is_restored,
        what_had_settled_comes_back_as_it_was,
        what_crosses_the_removal_is_not_claimed,
        each_change_needs_its_state,
        a_change_of_another_revision_is_refused,
        a_purged_file_is_gone,
        only_a_newer_upload_brings_a_file_back,
        a_removed_source_goes_to_the_trash_unless_a_newer_version_is_there,
        a_removal_that_comes_first_is_remembered,
        a_removal_that_comes_again_and_later_counts,
        a_removed_version_goes_alone_and_the_last_one_with_its_file,
        what_was_put_without_versions_is_removed_without_the_others,
        the_way_through_the_trash_is_told,
        what_is_in_the_trash_is_not_redriven,
        what_was_in_the_trash_for_long_enough_is_removed_for_good,
        what_was_removed_is_known_as_removed_for_a_while,
        a_file_shows_the_newest_version_that_is_not_in_the_trash,
        a_version_stops_in_the_trash_and_goes_on_after_it,
    }
    files {
        a_name_belongs_to_one_file_of_its_parent,
        of_ten_at_once_one_gets_the_name,
        a_name_is_free_while_its_file_is_in_the_trash,
        a_further_version_wants_its_file_there,
        files_are_renamed_and_moved,
        files_of_a_parent_come_in_order_and_in_pages,
        files_without_a_parent_are_the_roots,
        versions_come_newest_first_and_in_pages,
    }
    collecting {
        what_a_purged_file_had_is_deleted_after_its_grace,
        what_another_file_or_version_has_stays,
        uploads_go_with_their_last_version,
        only_what_no_row_refers_to_is_condemned,
        of_ten_collectors_one_gets_a_blob,
        a_settle_spares_what_is_condemned,
        what_was_taken_is_put_again_before_a_row_says_so,
        an_upload_of_what_is_being_deleted_is_put_again,
        a_pack_stays_while_anything_refers_to_a_part_of_it,
        a_pack_that_was_taken_is_put_again_for_every_row,
    }
    renewing {
        recipes_are_counted_page_by_page,
        old_bytes_are_read_until_the_new_ones_are_there,
        what_cannot_be_made_anew_stays_as_it_was,
        what_was_replaced_can_be_put_back,
        the_way_back_is_given_up_after_a_while,
        a_preset_that_changes_again_is_made_by_its_last_recipe,
        what_was_packed_comes_back_as_it_was,
    }
    parking {
        what_was_parked_reads_back_byte_for_byte,
        the_same_message_again_is_counted,
        parked_messages_are_listed_in_pages_and_by_code,
        a_replayed_message_goes_unless_it_was_parked_again,
        a_message_that_was_cut_is_not_replayed,
        messages_that_came_last_long_ago_are_forgotten,
    }
    reading {
        every_way_to_a_file_shows_the_same,
        files_are_found_by_their_source_whatever_they_are_called,
        versions_belong_to_their_file,
        recent_files_come_newest_first_and_in_pages,
        what_waits_of_several_versions_is_told_together,
        the_backlog_lists_every_lane,
        the_census_counts_rows_by_state_and_code,
        an_impossible_row_names_table_column_and_row,
        missing_pages_are_noticed,
        a_crowd_of_readers_is_shown_each_its_own,
        a_read_shows_what_was_written_before_it_whoever_else_reads,
        a_read_shows_what_another_process_has_written,
    }
    schema {
        an_empty_database_says_what_to_run,
        a_newer_schema_is_refused,
        opening_and_migrating_twice_changes_nothing,
        migrations_go_up_down_and_up_again,
        ten_may_migrate_at_once,
    }
    crowd {
        nobody_gets_in_anybodys_way,
    }
    model {
        any_walk_ends_where_the_state_machine_says,
    }
}

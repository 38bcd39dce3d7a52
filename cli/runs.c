/* SPDX-License-Identifier: Apache-2.0 */
#include "base/clock.h"
#include "cli/store.h"

struct listing {
    struct sonde_buf *text;
    bool json;
    bool any;
};

static void put_row(struct listing *listing, const struct sonde_run *run, const char *created)
{
    struct sonde_buf *text = listing->text;
    if (!listing->any) {
        sonde_buf_printf(text, "%-10s %-24s %-10s %-20s %s\n", "UID", "NAME", "STATE", "REASON",
                         "CREATED");
    }
    sonde_buf_printf(text, "%-10.8s %-24.60s %-10s %-20s %s\n", run->uid, run->name,
                     sonde_run_state_name(run->state), run->reason, created);
}

static void put_object(struct listing *listing, const struct sonde_run *run, const char *created)
{
    const struct {
        const char *name;
        const char *value;
    } fields[] = {
        {"name", run->name},     {"namespace", run->namespace},
        {"kind", run->kind},     {"state", sonde_run_state_name(run->state)},
        {"reason", run->reason}, {"message", run->message},
        {"created", created},
    };
    sonde_buf_printf(listing->text, "%s{\"uid\":\"%s\"", listing->any ? "," : "", run->uid);
    for (size_t i = 0; i < SONDE_LENGTH(fields); i++) {
        sonde_buf_printf(listing->text, ",\"%s\":", fields[i].name);
        sonde_buf_json_string(listing->text, sonde_str(fields[i].value));
    }
    sonde_buf_char(listing->text, '}');
}

static int list_run(void *context, const struct sonde_run *run, struct sonde_err *err)
{
    struct listing *listing = context;
    char created[SONDE_TIME_SIZE];
    sonde_time_format(run->created_ns, created);
    (listing->json ? put_object : put_row)(listing, run, created);
    listing->any = true;
    return sonde_buf_check(listing->text, "the list", err);
}

int cli_runs(struct cli_call *call)
{
    struct sonde_err err;
    struct sonde_db *db = NULL;
    SONDE_BUF_AUTO text = SONDE_BUF(SONDE_CLI_OUTPUT_MAX);
    struct listing listing = {&text, call->settings.output == CLI_OUTPUT_JSON, false};
    int r = store_open(&call->settings, &db, &err);
    sonde_buf_text(&text, listing.json ? "{\"runs\":[" : "");
    r = r < 0 ? r : sonde_db_runs(db, NULL, SONDE_DB_RUNS_LISTED_MAX, list_run, &listing, &err);
    sonde_buf_text(&text, listing.json ? "]}\n" : listing.any ? "" : "no runs yet\n");
    sonde_db_close(db);
    return r < 0 ? cli_say_error(&err) : cli_write_output(&call->settings, &text);
}

int cli_delete(struct cli_call *call)
{
    struct sonde_err err;
    struct sonde_db *db = NULL;
    char uid[SONDE_UUID_SIZE];
    int r = store_open(&call->settings, &db, &err);
    r = r < 0 ? r : sonde_db_run_resolve(db, call->arguments.positional[0], NULL, uid, &err);
    r = r < 0 ? r : sonde_db_run_delete(db, uid, &err);
    sonde_db_close(db);
    if (r < 0) {
        return cli_say_error(&err);
    }
    bool json = call->settings.output == CLI_OUTPUT_JSON;
    (void)printf(json ? "{\"deleted\":\"%s\"}\n" : "deleted %s\n", uid);
    return SONDE_EXIT_DONE;
}

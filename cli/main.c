/* SPDX-License-Identifier: Apache-2.0 */
#include <errno.h>
#include <malloc.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/file.h"
#include "cli/cli.h"
#include "cli/output.h"
#include "spec/reason.h"

const char *const cli_outputs[] = {"text", "json", NULL};

#define TIMEOUT_MIN SONDE_SECOND
#define TIMEOUT_MAX (7 * 24 * 3600 * SONDE_SECOND)

static const struct sonde_option common_options[] = {
    {"store", SONDE_OPTION_STRING, offsetof(struct cli_settings, store), .argument = "DIR",
     .help = "where runs are kept (default: $XDG_STATE_HOME/sonde)"},
    {"output", SONDE_OPTION_CHOICE, offsetof(struct cli_settings, output), .choices = cli_outputs,
     .argument = "text|json", .help = "for a person, or for a program"},
    {"help", SONDE_OPTION_FLAG, offsetof(struct cli_settings, help), .help = "say this",
     .letter = 'h'},
    {0},
};

/* Any of them means a cluster, as the name kubectl-sonde does. */
static const struct sonde_option cluster_options[] = {
    {"cluster", SONDE_OPTION_FLAG, offsetof(struct cli_settings, cluster),
     .help = "in the cluster of the kubeconfig, not on this machine"},
    {"kubeconfig", SONDE_OPTION_STRING, offsetof(struct cli_settings, kubeconfig),
     .argument = "FILE", .help = "default: as kubectl finds it"},
    {"context", SONDE_OPTION_STRING, offsetof(struct cli_settings, context), .argument = "NAME",
     .help = "of the kubeconfig"},
    {"namespace", SONDE_OPTION_STRING, offsetof(struct cli_settings, namespace), .argument = "NAME",
     .help = "default: that of the context", .letter = 'n'},
    {"all-namespaces", SONDE_OPTION_FLAG, offsetof(struct cli_settings, all_namespaces),
     .help = "of `runs`: those of all namespaces", .letter = 'A'},
    {"wait", SONDE_OPTION_FLAG, offsetof(struct cli_settings, wait),
     .help = "of what makes a run: wait for its end and its report (it does anyway)"},
    {"no-wait", SONDE_OPTION_FLAG, offsetof(struct cli_settings, no_wait),
     .help = "… do not wait for the end and the report"},
    {"timeout", SONDE_OPTION_DURATION, offsetof(struct cli_settings, timeout_ns), TIMEOUT_MIN,
     TIMEOUT_MAX, .argument = "TIME",
     .help = "… wait no longer than this: then exit code 1, and it goes on"},
    {"dry-run", SONDE_OPTION_FLAG, offsetof(struct cli_settings, dry_run),
     .help = "… print what would be applied"},
    {"system-namespace", SONDE_OPTION_STRING, offsetof(struct cli_settings, system_namespace),
     .argument = "NAME", .help = "where Sonde runs (default: sonde-system)"},
    {0},
};

static bool means_cluster(const struct cli_settings *settings)
{
    return settings->cluster || settings->kubeconfig || settings->context || settings->namespace ||
           settings->all_namespaces || settings->system_namespace;
}

static int cli_only_in_cluster(struct cli_call *call)
{
    struct sonde_err err;
    (void)sonde_fail(&err, SONDE_EINVALID, 0,
                     "%.100s: only a cluster has it: give --cluster, too, or call it kubectl sonde",
                     call->arguments.positional[0]);
    return cli_say_error(&err);
}

static const struct cli_command commands[] = {
    {"run", "FILE [--name NAME] [--pid N | --match PATTERN | -- COMMAND…]",
     "carry out the documents in FILE on local processes, or a load test from here",
     cli_run_options, 1, 1, true, cli_run, cluster_run},
    {"profile",
     "[--type cpu] [--duration 10s] [--pid N | --match PATTERN | -- COMMAND…] [WORKLOAD]",
     "profile a local Node.js process, or of a workload of a cluster", cli_profile_options, 0, 1,
     true, cli_profile, cluster_profile},
    {"watch", "RUN", "how a run in a cluster gets on, each second, until it has ended", NULL, 1, 1,
     false, cli_only_in_cluster, cluster_watch},
    {"rerun", "RUN [--name NAME] [--pid N | --match PATTERN | -- COMMAND…]",
     "carry out the document of a run once more", cli_rerun_options, 1, 1, true, cli_rerun,
     cluster_rerun},
    {"run-now", "SCHEDULE [--name NAME] [--force]",
     "make a run of a schedule in a cluster without waiting for its time", cluster_run_now_options,
     1, 1, false, cli_only_in_cluster, cluster_run_now},
    {"runs", "", "list the runs in the store, newest first", NULL, 0, 0, false, cli_runs,
     cluster_runs},
    {"report", "RUN [--format text|json|html] [-o FILE]", "what a run found", cli_report_options, 1,
     1, false, cli_report, cluster_report},
    {"compare", "A B [--capture NAME] [--format text|json|html] [-o FILE]",
     "what changed from run A to run B, and how sure that is", cli_compare_options, 2, 2, false,
     cli_compare, cluster_compare},
    {"check", "RUN [--baseline RUN] [--budget FILE] [--format text|json|junit|markdown] [-o FILE]",
     "whether a run kept its thresholds, its baseline and a budget", cli_check_options, 1, 1, false,
     cli_check, cluster_check},
    {"delete", "RUN", "remove a run and what it captured", NULL, 1, 1, false, cli_delete,
     cluster_delete},
    {"export",
     "RUN --capture NAME --format cpuprofile|heapprofile|pprof|folded|speedscope|coverage|raw [-o "
     "FILE]",
     "hand a capture to another tool", cli_export_options, 1, 1, false, cli_export, cluster_export},
    {"import", "FILE [--name NAME]",
     "make a run of a file from elsewhere: a profile, a heap snapshot, V8 coverage",
     cli_import_options, 1, 1, false, cli_import, NULL},
    {"load", "URL… [-c CONNECTIONS] [-d TIME | -a AMOUNT] [-R RATE] [-- COMMAND…]",
     "put a server under load, and say how long its answers take", cli_load_options, 1,
     CLI_LOAD_URLS_MAX, true, cli_load, NULL},
    {"schedule", "FILE [--count N] [--from TIME]", "when the schedules in FILE fire",
     cli_schedule_options, 1, 1, false, cli_schedule, NULL},
    {"spec", "crds|reference [--directory DIR]",
     "print the custom resource definitions, or the reference pages", cli_spec_options, 1, 1, false,
     cli_spec, NULL},
    {"version", "", "say which version this is", NULL, 0, 0, false, cli_version, NULL},
};

static void print_help(FILE *to)
{
    (void)fputs("sonde: why is this Node.js service slow, and which line is it?\n\nusage:\n", to);
    for (size_t i = 0; i < SONDE_LENGTH(commands); i++) {
        (void)fprintf(to, "  sonde %s%s%s\n      %s\n", commands[i].name,
                      commands[i].usage[0] ? " " : "", commands[i].usage, commands[i].summary);
    }
    SONDE_BUF_AUTO options = SONDE_BUF(8192);
    sonde_options_help(common_options, &options);
    sonde_buf_text(&options, "\noptions of a cluster (all implied by the name kubectl-sonde):\n");
    sonde_options_help(cluster_options, &options);
    (void)fprintf(
        to,
        "\noptions of every command:\n%s\n"
        "RUN is a name, the beginning of a uid, or `last`.\n"
        "Exit codes: 0 done, 1 failed, 2 wrong usage or an invalid document, "
        "3 nothing matched,\n97 over budget, 98 worse than the baseline, 99 a broken threshold.\n",
        options.data ? options.data : "");
}

static void print_command_help(const struct cli_command *command)
{
    SONDE_BUF_AUTO options = SONDE_BUF(16384);
    sonde_options_help(command->options, &options);
    sonde_options_help(common_options, &options);
    if (command->in_cluster) {
        sonde_options_help(cluster_options, &options);
    }
    (void)printf("usage: sonde %s %s\n\n%s\n\noptions:\n%s", command->name, command->usage,
                 command->summary, options.data ? options.data : "");
}

static int exit_code_of(const struct sonde_err *err)
{
    if (err->reason && strcmp(err->reason, SONDE_REASON_INVALID_SPEC) == 0) {
        return SONDE_EXIT_USAGE; /* also when it is a bound that was passed */
    }
    switch (err->code) {
    case SONDE_EINVALID:
        return SONDE_EXIT_USAGE;
    case SONDE_ENOTFOUND:
        /* A file that the system did not find is no process, run or capture. */
        return err->sys && !err->reason ? SONDE_EXIT_FAILED : SONDE_EXIT_NO_MATCH;
    default:
        return SONDE_EXIT_FAILED;
    }
}

int cli_say_error(const struct sonde_err *err)
{
    if (err->sys == EPIPE) {
        return SONDE_EXIT_DONE; /* the reader has seen enough */
    }
    char safe[SONDE_ERR_MESSAGE_MAX];
    memcpy(safe, err->message, sizeof(safe));
    for (size_t i = 0; safe[i]; i++) {
        if ((unsigned char)safe[i] < 0x20 && safe[i] != '\n') {
            safe[i] = '?';
        }
    }
    const struct sonde_reason *reason = sonde_reason_find(err->reason);
    (void)fprintf(stderr, "sonde: %s%s%s\n", reason ? reason->word : "", reason ? ": " : "", safe);
    if (reason) {
        (void)fprintf(stderr, "  %s\n", reason->remedy);
    }
    return exit_code_of(err);
}

int cli_write_output(const struct cli_settings *settings, const struct sonde_buf *text)
{
    struct sonde_err err;
    int r = sonde_buf_check(text, "the output", &err);
    if (r < 0) {
        return cli_say_error(&err);
    }
    struct output output;
    r = output_open(settings->file, &output, &err);
    r = r < 0 ? r : sonde_write_all(output.fd, text->data, text->length, output.name, &err);
    r = r < 0 ? r : output_commit(&output, &err);
    output_fini(&output);
    if (r < 0 && err.sys != EPIPE) {
        (void)cli_say_error(&err);
        return SONDE_EXIT_FAILED;
    }
    return SONDE_EXIT_DONE;
}

int cli_version(struct cli_call *call)
{
    bool json = call->settings.output == CLI_OUTPUT_JSON;
    (void)printf(json ? "{\"version\":\"%s\"}\n" : "sonde %s\n", SONDE_VERSION);
    return SONDE_EXIT_DONE;
}

static const struct cli_command *find_command(const char *name)
{
    for (size_t i = 0; i < SONDE_LENGTH(commands); i++) {
        if (strcmp(commands[i].name, name) == 0) {
            return &commands[i];
        }
    }
    return NULL;
}

static int unknown_command(const char *name)
{
    const char *names[SONDE_LENGTH(commands)];
    for (size_t i = 0; i < SONDE_LENGTH(commands); i++) {
        names[i] = commands[i].name;
    }
    const char *near = sonde_suggest(sonde_str(name), names, SONDE_LENGTH(names));
    struct sonde_err err;
    (void)sonde_fail(&err, SONDE_EINVALID, 0, "there is no command %s%s%s%s (see sonde --help)",
                     name, near ? ": did you mean " : "", near ? near : "", near ? "?" : "");
    return cli_say_error(&err);
}

/* The number of arguments, and whether a command may follow. */
static int check_arguments(const struct cli_command *command, const struct cli_call *call)
{
    struct sonde_err err;
    const struct sonde_arguments *arguments = &call->arguments;
    if (arguments->count < command->least || arguments->count > command->most) {
        (void)sonde_fail(&err, SONDE_EINVALID, 0, "usage: sonde %s %s", command->name,
                         command->usage);
        return cli_say_error(&err);
    }
    if (arguments->command && (!command->takes_command || arguments->command_count == 0)) {
        (void)sonde_fail(&err, SONDE_EINVALID, 0,
                         command->takes_command ? "give a command after --: sonde %s %s"
                                                : "nothing may follow --: sonde %s %s",
                         command->name, command->usage);
        return cli_say_error(&err);
    }
    return SONDE_EXIT_DONE;
}

/* By which name we were called. */
enum called { AS_SONDE, AS_KUBECTL_PLUGIN, AS_AUTOCANNON };

static int run_command(const struct cli_command *command, enum called called, int count,
                       char **argv)
{
    struct cli_call call = {.settings = {.format = -1,
                                         .count = 10,
                                         .cluster = called == AS_KUBECTL_PLUGIN,
                                         .load = {.autocannon = called == AS_AUTOCANNON}}};
    const struct sonde_option *const tables[] = {command->options, common_options,
                                                 command->in_cluster ? cluster_options : NULL};
    struct sonde_err err;
    if (sonde_options_parse(tables, 3, count, argv, &call.settings, &call.arguments, &err) < 0) {
        return cli_say_error(&err);
    }
    int code = SONDE_EXIT_DONE;
    if (call.settings.help) {
        print_command_help(command);
    } else if (call.settings.version) {
        code = cli_version(&call);
    } else {
        code = check_arguments(command, &call);
        bool there = command->in_cluster && means_cluster(&call.settings);
        code = code ? code : there ? command->in_cluster(&call) : command->run(&call);
    }
    free(call.arguments.positional);
    return code;
}

/* glibc raises its threshold for mappings of their own with each one freed; then large buffers come
 * from the heap, whose holes stay resident: a MiB at the end of a capture. A set one stays. */
static void keep_memory_small(void)
{
    enum { LARGE_BYTES = 128 * 1024 };
    (void)mallopt(M_MMAP_THRESHOLD, LARGE_BYTES);
    (void)mallopt(M_TRIM_THRESHOLD, LARGE_BYTES);
}

static enum called name_of(const char *path)
{
    const char *slash = strrchr(path, '/');
    const char *name = slash ? slash + 1 : path;
    return strcmp(name, "kubectl-sonde") == 0 ? AS_KUBECTL_PLUGIN
           : strcmp(name, "autocannon") == 0  ? AS_AUTOCANNON
                                              : AS_SONDE;
}

int main(int argc, char **argv)
{
    enum called called = argc ? name_of(argv[0]) : AS_SONDE;
    keep_memory_small();
    (void)signal(SIGPIPE, SIG_IGN);
    if (called == AS_AUTOCANNON) {
        return run_command(find_command("load"), called, argc - 1, argv + 1);
    }
    if (argc < 2) {
        print_help(stderr);
        return SONDE_EXIT_USAGE;
    }
    if (strcmp(argv[1], "--help") == 0 || strcmp(argv[1], "-h") == 0 ||
        strcmp(argv[1], "help") == 0) {
        print_help(stdout);
        return SONDE_EXIT_DONE;
    }
    const char *name = strcmp(argv[1], "--version") == 0 ? "version" : argv[1];
    const struct cli_command *command = find_command(name);
    return command ? run_command(command, called, argc - 2, argv + 2) : unknown_command(name);
}

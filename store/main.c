/* SPDX-License-Identifier: Apache-2.0 */
/* sonde-store: receives what sidecars capture, keeps it, analyses it, and shows it to people. */
#include <fcntl.h>
#include <malloc.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/file.h"
#include "base/options.h"
#include "store/service.h"

#define STOP_NS (20 * SONDE_SECOND) /* requests under way may take so long to end */
#define RELOAD_NS (10 * SONDE_SECOND)
#define DAY (INT64_C(86400) * SONDE_SECOND)
#define HEAP_MEMORY_MIN (INT64_C(32) << 20)
#define HEAP_MEMORY (INT64_C(128) << 20)
#define KEEP_MAX (INT64_C(3650) * DAY)

struct settings {
    const char *directory, *listen, *certificate, *key, *kubeconfig, *controller;
    const char *controller_token_file, *person_token_file;
    int64_t keep_profile, keep_trace, keep_heap, bytes_max, lost_after, heap_memory;
    bool no_cluster, help, version;
};

#define AT(field) offsetof(struct settings, field)

static const struct sonde_option options[] = {
    {"directory", SONDE_OPTION_STRING, AT(directory), .argument = "DIR",
     .help = "where everything is kept (default: /var/lib/sonde)"},
    {"listen", SONDE_OPTION_STRING, AT(listen), .argument = "ADDRESS:PORT",
     .help = "default: 0.0.0.0:8443 with a certificate, else 127.0.0.1:8080"},
    {"certificate", SONDE_OPTION_STRING, AT(certificate), .argument = "FILE",
     .help = "the server's, with those that issued it (PEM); read again when it changes"},
    {"key", SONDE_OPTION_STRING, AT(key), .argument = "FILE", .help = "of the certificate (PEM)"},
    {"kubeconfig", SONDE_OPTION_STRING, AT(kubeconfig), .argument = "FILE",
     .help = "of the cluster whose people are asked about (default: as in a pod)"},
    {"no-cluster", SONDE_OPTION_FLAG, AT(no_cluster), .help = "only the tokens of files count"},
    {"controller", SONDE_OPTION_STRING, AT(controller), .argument = "USER",
     .help = "the controller's name (default: "
             "system:serviceaccount:sonde-system:sonde-controller)"},
    {"controller-token-file", SONDE_OPTION_STRING, AT(controller_token_file), .argument = "FILE",
     .help = "who has this token is the controller, too"},
    {"person-token-file", SONDE_OPTION_STRING, AT(person_token_file), .argument = "FILE",
     .help = "who has this token may see and delete all runs"},
    {"keep", SONDE_OPTION_DURATION, AT(keep_profile), 0, KEEP_MAX, .argument = "TIME",
     .help = "remove runs so long after their end (default: 720h; 0s: never)"},
    {"keep-trace", SONDE_OPTION_DURATION, AT(keep_trace), 0, KEEP_MAX, .argument = "TIME",
     .help = "those with traces (default: 168h)"},
    {"keep-heap", SONDE_OPTION_DURATION, AT(keep_heap), 0, KEEP_MAX, .argument = "TIME",
     .help = "those with heap data (default: 72h)"},
    {"size-max", SONDE_OPTION_NUMBER, AT(bytes_max), 0, INT64_MAX, .argument = "BYTES",
     .help = "remove runs when those that have ended take more, the oldest first of the "
             "namespace that has most (default: 0, no bound)"},
    {"heap-memory", SONDE_OPTION_NUMBER, AT(heap_memory), HEAP_MEMORY_MIN, INT64_MAX,
     .argument = "BYTES",
     .help = "of memory that the analysis of a heap snapshot may take, on top of 100 MiB; larger "
             "ones are kept but not analysed (default: 134217728)"},
    {"lost-after", SONDE_OPTION_DURATION, AT(lost_after), SONDE_SECOND, DAY, .argument = "TIME",
     .help = "a sidecar that is silent for so long is given up (default: 45s)"},
    {"version", SONDE_OPTION_FLAG, AT(version), .help = "say which version this is"},
    {"help", SONDE_OPTION_FLAG, AT(help), .help = "say this", .letter = 'h'},
    {0},
};

struct program {
    struct settings settings;
    struct service service;
    struct retention *retention;
    struct sonde_timer *reload, *stop_timer;
    struct sonde_signal *term, *interrupt;
    struct sonde_buf certificate, key; /* as they are served */
};

static int say(const struct sonde_err *err)
{
    (void)fprintf(stderr, "sonde-store: %s\n", err->message);
    return err->code == SONDE_EINVALID ? 2 : 1;
}

/* ---- files ---- */

enum { TOKEN_FILE_MAX = 16 << 10, TOKEN_MIN = 16 };

static int read_token(const char *path, struct sonde_buf *ret, struct sonde_err *err)
{
    *ret = SONDE_BUF(TOKEN_FILE_MAX);
    if (!path) {
        return 0;
    }
    int r = sonde_read_file(AT_FDCWD, path, ret, err);
    while (r == 0 && ret->length &&
           (ret->data[ret->length - 1] == '\n' || ret->data[ret->length - 1] == ' ')) {
        ret->length--;
    }
    if (r == 0 && ret->length < TOKEN_MIN) {
        return sonde_fail(err, SONDE_EINVALID, 0, "%s has a token of less than %d characters", path,
                          TOKEN_MIN);
    }
    return r;
}

static int read_pair(const struct settings *settings, struct sonde_buf *certificate,
                     struct sonde_buf *key, struct sonde_err *err)
{
    int r = sonde_read_file(AT_FDCWD, settings->certificate, certificate, err);
    return r < 0 ? r : sonde_read_file(AT_FDCWD, settings->key, key, err);
}

/* The files of a Secret are replaced while we run: a renewed certificate is served from then on. */
static void reload(void *context)
{
    struct program *program = context;
    struct sonde_err err = {0};
    struct sonde_buf certificate = SONDE_BUF(SONDE_SERVER_PEM_MAX);
    struct sonde_buf key = SONDE_BUF(SONDE_SERVER_PEM_MAX);
    int r = read_pair(&program->settings, &certificate, &key, &err);
    bool same = r == 0 && sonde_str_equal(sonde_buf_view(&certificate),
                                          sonde_buf_view(&program->certificate));
    if (r == 0 && !same) {
        r = sonde_server_certificate(program->service.server, sonde_buf_view(&certificate),
                                     sonde_buf_view(&key), &err);
    }
    if (r < 0) {
        SONDE_LOG(&program->service.log, SONDE_LOG_WARN,
                  "the certificate cannot be read again: the old one stays",
                  SONDE_FIELD_STR("error", sonde_str(err.message)));
    } else if (!same) {
        SONDE_LOG(&program->service.log, SONDE_LOG_INFO, "a new certificate is served",
                  SONDE_FIELD_STR("file", sonde_str(program->settings.certificate)));
        struct sonde_buf old = program->certificate;
        program->certificate = certificate;
        certificate = old;
    }
    sonde_buf_fini(&certificate);
    sonde_buf_fini(&key);
}

/* ---- the end ---- */

/* Nothing new is begun; what is under way gets its time. */
static void look_whether_idle(void *context)
{
    struct program *program = context;
    if (sonde_server_open(program->service.server) == 0 && jobs_busy(program->service.jobs) == 0) {
        sonde_loop_stop(program->service.loop);
    }
}

static void give_up(void *context)
{
    struct program *program = context;
    sonde_loop_stop(program->service.loop);
}

static void on_signal(void *context, int number, bool by_kernel)
{
    struct program *program = context;
    struct service *service = &program->service;
    (void)by_kernel;
    if (service->stopping) {
        give_up(program);
        return;
    }
    SONDE_LOG(&service->log, SONDE_LOG_INFO, "stopping", SONDE_FIELD_INT("signal", number));
    service->stopping = true;
    sonde_server_quiesce(service->server);
    loads_flush(service->loads);
    changes_end(service->changes);
    sonde_timer_free(SONDE_TAKE(program->reload));
    struct sonde_err err;
    if (sonde_timer_new(service->loop, look_whether_idle, program, &program->reload, &err) == 0) {
        sonde_timer_start(program->reload, 10 * SONDE_MILLISECOND, 10 * SONDE_MILLISECOND);
    }
    sonde_timer_start(program->stop_timer, STOP_NS, 0);
}

/* ---- the beginning ---- */

/* The sidecars of a pod need a few, but people all come by way of the API server. */
enum { CONNECTIONS_OF_ADDRESS_MAX = 64 };

static int check_exposure(const struct settings *settings, const char *address,
                          struct sonde_err *err)
{
    if (!settings->certificate != !settings->key) {
        return sonde_fail(err, SONDE_EINVALID, 0, "give both --certificate and --key, or none");
    }
    if (!settings->certificate && strncmp(address, "127.", 4) != 0 && strcmp(address, "::1") != 0) {
        return sonde_fail(err, SONDE_EINVALID, 0,
                          "without --certificate and --key the store listens on this machine only, "
                          "not on %s",
                          address);
    }
    return 0;
}

static int start_server(struct program *program, struct sonde_err *err)
{
    const struct settings *settings = &program->settings;
    struct service *service = &program->service;
    char address[SONDE_SERVER_ADDRESS_SIZE];
    struct sonde_server_options server = {.loop = service->loop,
                                          .address = address,
                                          .connections_per_address = CONNECTIONS_OF_ADDRESS_MAX,
                                          .routes = store_routes,
                                          .context = service};
    const char *listen = settings->listen        ? settings->listen
                         : settings->certificate ? "0.0.0.0:8443"
                                                 : "127.0.0.1:8080";
    int r = sonde_server_address(listen, address, &server.port, err);
    r = r < 0 ? r : check_exposure(settings, address, err);
    SONDE_BUF_AUTO key = SONDE_BUF(SONDE_SERVER_PEM_MAX);
    program->certificate = SONDE_BUF(SONDE_SERVER_PEM_MAX);
    if (r == 0 && settings->certificate) {
        r = read_pair(settings, &program->certificate, &key, err);
        server.certificate = sonde_buf_view(&program->certificate);
        server.key = sonde_buf_view(&key);
    }
    r = r < 0 ? r : sonde_server_new(&server, &service->server, err);
    if (r == 0) {
        SONDE_LOG(&service->log, SONDE_LOG_INFO, "listening",
                  SONDE_FIELD_STR("address", sonde_str(address)),
                  SONDE_FIELD_INT("port", sonde_server_port(service->server)),
                  SONDE_FIELD_STR("version", sonde_str(SONDE_VERSION)));
    }
    return r;
}

static int join_cluster(struct program *program, struct sonde_err *err)
{
    struct sonde_kube_config config;
    if (program->settings.no_cluster) {
        return 0;
    }
    int r = sonde_kube_config_load(program->settings.kubeconfig, NULL, &config, err);
    if (r < 0) {
        return sonde_err_wrap(err, r,
                              "the cluster whose people are asked about (--no-cluster: none)");
    }
    r = sonde_kube_new(program->service.loop, &config, NULL, &program->service.kube, err);
    if (r < 0) {
        sonde_kube_config_fini(&config);
    }
    return r;
}

static int start_timers(struct program *program, struct sonde_err *err)
{
    struct service *service = &program->service;
    const struct settings *settings = &program->settings;
    struct retention_options retention = {
        .keep_ns = {settings->keep_profile, settings->keep_trace, settings->keep_heap},
        .bytes_max = settings->bytes_max,
    };
    int r = retention_new(service, &retention, &program->retention, err);
    r = r < 0 ? r : sonde_timer_new(service->loop, reload, program, &program->reload, err);
    r = r < 0 ? r : sonde_timer_new(service->loop, give_up, program, &program->stop_timer, err);
    if (r == 0 && settings->certificate) {
        sonde_timer_start(program->reload, RELOAD_NS, RELOAD_NS);
    }
    return r;
}

static int start(struct program *program, struct sonde_err *err)
{
    struct settings *settings = &program->settings;
    struct service *service = &program->service;
    service->log = (struct sonde_log){STDERR_FILENO, SONDE_LOG_INFO, "sonde-store"};
    service->directory = settings->directory;
    service->bounds.heap_bytes = (uint64_t)settings->heap_memory;
    service->controller_user = settings->controller;
    int r = sonde_loop_new(&service->loop, err);
    r = r < 0 ? r
              : sonde_signal_new(service->loop, SIGTERM, on_signal, program, &program->term, err);
    r = r < 0
            ? r
            : sonde_signal_new(service->loop, SIGINT, on_signal, program, &program->interrupt, err);
    r = r < 0 ? r : read_token(settings->controller_token_file, &service->controller_token, err);
    r = r < 0 ? r : read_token(settings->person_token_file, &service->person_token, err);
    r = r < 0 ? r : sonde_db_open(settings->directory, &service->db, err);
    r = r < 0 ? r : join_cluster(program, err);
    r = r < 0 ? r : callers_new(service, &service->callers, err);
    r = r < 0 ? r : uploads_new(service, &service->uploads, err);
    r = r < 0 ? r : changes_new(service, &service->changes, err);
    r = r < 0 ? r : jobs_new(service, &service->jobs, err);
    r = r < 0 ? r : silence_new(service, settings->lost_after, &service->silence, err);
    r = r < 0 ? r : loads_new(service, &service->loads, err);
    r = r < 0 ? r : start_timers(program, err);
    return r < 0 ? r : start_server(program, err);
}

static void finish(struct program *program)
{
    struct service *service = &program->service;
    service->stopping = true;
    jobs_free(service->jobs);
    sonde_kube_free(service->kube);
    sonde_server_free(service->server);
    loads_free(service->loads);
    silence_free(service->silence);
    changes_free(service->changes);
    uploads_free(service->uploads);
    callers_free(service->callers);
    retention_free(program->retention);
    sonde_timer_free(program->reload);
    sonde_timer_free(program->stop_timer);
    sonde_signal_free(program->term);
    sonde_signal_free(program->interrupt);
    sonde_db_close(service->db);
    sonde_loop_free(service->loop);
    sonde_buf_fini(&service->controller_token);
    sonde_buf_fini(&service->person_token);
    sonde_buf_fini(&program->certificate);
}

static void print_help(void)
{
    SONDE_BUF_AUTO text = SONDE_BUF(8192);
    sonde_options_help(options, &text);
    (void)printf("usage: sonde-store [--directory DIR] [--listen ADDRESS:PORT] …\n\n"
                 "receives what sidecars capture, keeps it, analyses it, and shows it to people\n\n"
                 "options:\n%s",
                 text.data ? text.data : "");
}

int main(int argc, char **argv)
{
    struct program program = {
        .settings = {.directory = "/var/lib/sonde",
                     .controller = "system:serviceaccount:sonde-system:sonde-controller",
                     .keep_profile = 30 * DAY,
                     .keep_trace = 7 * DAY,
                     .keep_heap = 3 * DAY,
                     .lost_after = 45 * SONDE_SECOND,
                     .heap_memory = HEAP_MEMORY},
    };
    struct sonde_err err;
    struct sonde_arguments arguments = {0};
    const struct sonde_option *const tables[] = {options};
    (void)mallopt(M_MMAP_THRESHOLD, 128 << 10);
    (void)mallopt(M_ARENA_MAX, 2);
    (void)signal(SIGPIPE, SIG_IGN);
    sonde_raise_files();
    int r = sonde_options_parse(tables, 1, argc - 1, argv + 1, &program.settings, &arguments, &err);
    if (r == 0 && arguments.count > 0) {
        r = sonde_fail(&err, SONDE_EINVALID, 0, "%.100s: only options are taken (see --help)",
                       arguments.positional[0]);
    }
    free(arguments.positional);
    if (r < 0) {
        return say(&err);
    }
    if (program.settings.help || program.settings.version) {
        if (program.settings.help) {
            print_help();
        } else {
            (void)printf("sonde-store %s\n", SONDE_VERSION);
        }
        return 0;
    }
    r = start(&program, &err);
    if (r == 0) {
        sonde_loop_run(program.service.loop);
    }
    finish(&program);
    return r < 0 ? say(&err) : 0;
}

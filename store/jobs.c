/* SPDX-License-Identifier: Apache-2.0 */
#include <stdlib.h>
#include <string.h>

#include "store/service.h"

/* Of all people and of one of them. */
enum { WAITING_MAX = 64, OF_PERSON_MAX = 8 };

/* One job is done at a time: each may take more than half of the memory that the store is given.
 * The controller, which waits for conclusions, comes before people. */
enum lane { CONCLUSIONS, REQUESTS, LANES };

struct job {
    struct jobs *jobs;
    struct job *next;
    struct call *call;
    job_work work;
    char uid[SONDE_UUID_SIZE];
    char *argument;
    struct job_result result;
};

struct queue {
    struct job *first, **last; /* waiting */
    size_t waiting;
};

struct jobs {
    struct service *service;
    struct queue lanes[LANES];
    struct job *running;
    bool last; /* nothing but its end is waited for any more */
};

int jobs_new(struct service *service, struct jobs **ret, struct sonde_err *err)
{
    struct jobs *jobs = calloc(1, sizeof(*jobs));
    if (!jobs) {
        return sonde_fail(err, SONDE_ENOMEM, 0, "out of memory");
    }
    jobs->service = service;
    for (int i = 0; i < LANES; i++) {
        jobs->lanes[i].last = &jobs->lanes[i].first;
    }
    *ret = jobs;
    return 0;
}

static void free_job(struct job *job)
{
    struct call *call = job->call;
    sonde_buf_fini(&job->result.text);
    free(job->argument);
    free(job);
    call_release(call);
}

void jobs_free(struct jobs *jobs)
{
    while (jobs && jobs->running) {
        jobs->last = true;
        sonde_loop_run(jobs->service->loop);
    }
    for (int i = 0; jobs && i < LANES; i++) {
        while (jobs->lanes[i].first) {
            struct job *job = jobs->lanes[i].first;
            jobs->lanes[i].first = job->next;
            free_job(job);
        }
    }
    free(jobs);
}

size_t jobs_busy(const struct jobs *jobs)
{
    return jobs->lanes[CONCLUSIONS].waiting + jobs->lanes[REQUESTS].waiting +
           (jobs->running != NULL);
}

static void work(void *context)
{
    struct job *job = context;
    struct sonde_db *db = NULL;
    if (sonde_db_open(job->jobs->service->directory, &db, &job->result.err) == 0) {
        job->work(db, job->uid, job->argument, &job->jobs->service->bounds, &job->result);
    }
    sonde_db_close(db);
}

static void next(struct jobs *jobs);

static void done(void *context)
{
    struct job *job = context;
    struct jobs *jobs = job->jobs;
    struct job_result *result = &job->result;
    jobs->running = NULL;
    if (job->call->exchange && !people_may_still_see(job->call)) {
        call_fail(job->call, 409, "Conflict", "the run has got heap data meanwhile: ask again");
    } else if (result->status) {
        call_answer_as(job->call, result->status, result->media_type,
                       sonde_buf_view(&result->text));
    } else {
        call_fail_by_kept(job->call, &result->err);
    }
    free_job(job);
    if (jobs->last) {
        sonde_loop_stop(jobs->service->loop);
    } else {
        next(jobs);
    }
}

/* Of peers that have gone. */
static void drop_unwanted(struct queue *queue)
{
    struct job **at = &queue->first;
    while (*at) {
        struct job *job = *at;
        if (job->call->exchange) {
            at = &job->next;
            continue;
        }
        *at = job->next;
        queue->waiting--;
        free_job(job);
    }
    queue->last = at;
}

static struct job *take_first(struct queue *queue)
{
    struct job *job = queue->first;
    if (job) {
        queue->first = job->next;
        queue->last = queue->first ? queue->last : &queue->first;
        queue->waiting--;
    }
    return job;
}

static void next(struct jobs *jobs)
{
    struct sonde_err err;
    while (!jobs->running) {
        drop_unwanted(&jobs->lanes[REQUESTS]);
        struct job *job = take_first(&jobs->lanes[CONCLUSIONS]);
        job = job ? job : take_first(&jobs->lanes[REQUESTS]);
        if (!job) {
            return;
        }
        if (sonde_loop_work(jobs->service->loop, work, done, job, &err) < 0) {
            call_fail_by(job->call, &err);
            free_job(job);
        } else {
            jobs->running = job;
        }
    }
}

static size_t of_person(const struct queue *queue, const char *user)
{
    size_t count = 0;
    for (const struct job *job = queue->first; job; job = job->next) {
        count += strcmp(job->call->user, user) == 0;
    }
    return count;
}

/* False after a refusal. */
static bool has_place(struct call *call, const struct queue *queue)
{
    if (queue->waiting >= WAITING_MAX) {
        call_fail(call, 503, "Busy", "the store has too much to analyse: try again in a while");
        return false;
    }
    if (of_person(queue, call->user) >= OF_PERSON_MAX) {
        call_fail(call, 503, "Busy", "too many of your requests wait: let some be answered first");
        return false;
    }
    return true;
}

/* A conclusion that is asked for again, when it is under way or waits: its answer is for who asked
 * last, as nobody asks again who has not stopped waiting. */
static bool take_over(struct jobs *jobs, struct call *call, job_work function)
{
    struct job *found = NULL;
    for (struct job *job = jobs->lanes[CONCLUSIONS].first; job && !found; job = job->next) {
        found = strcmp(job->uid, call->uid) == 0 && job->work == function ? job : NULL;
    }
    if (!found && jobs->running && strcmp(jobs->running->uid, call->uid) == 0 &&
        jobs->running->work == function) {
        found = jobs->running;
    }
    if (!found) {
        return false;
    }
    struct call *before = found->call;
    found->call = call;
    call_keep(call);
    call_fail(before, 503, "Busy", "the same was asked for again: the answer goes there");
    call_release(before);
    return true;
}

void jobs_add(struct call *call, job_work function, const char *argument)
{
    struct jobs *jobs = call->service->jobs;
    bool conclusion = call->endpoint->caller == CALLER_CONTROLLER;
    struct queue *queue = &jobs->lanes[conclusion ? CONCLUSIONS : REQUESTS];
    drop_unwanted(&jobs->lanes[REQUESTS]);
    if (conclusion ? take_over(jobs, call, function) : !has_place(call, queue)) {
        return;
    }
    struct job *job = calloc(1, sizeof(*job));
    char *copy = strdup(argument ? argument : "");
    if (!job || !copy) {
        free(job);
        free(copy);
        call_fail(call, 503, "OutOfMemory", "the store is out of memory");
        return;
    }
    job->jobs = jobs;
    job->call = call;
    job->work = function;
    job->argument = copy;
    job->result.text = SONDE_BUF(STORE_ANSWER_MAX);
    memcpy(job->uid, call->uid, sizeof(job->uid));
    call_keep(call);
    *queue->last = job;
    queue->last = &job->next;
    queue->waiting++;
    next(jobs);
}

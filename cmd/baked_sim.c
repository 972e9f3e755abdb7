/* SPDX-License-Identifier: MIT */
#include "baked_sim.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "baked_live.h"
#include "privileges.h"
#include "scenarios.h"

#define HYPERVISOR "simulated Xen"

enum xm_status xm_baked_sim_open(struct xm_baked_sim *sim, struct xm_log *log, const char *name, const char *region,
                                 struct xm_error *err)
{
    memset(sim, 0, sizeof *sim);
    sim->log = log;
    if (!xm_sim_control_path(region, sim->control_path, sizeof sim->control_path) ||
        !xm_tee_path(region, sim->socket, sizeof sim->socket))
        return xm_fail(err, XM_INVALID, XM_NO_OFFSET, "%s: the name is too long for sockets beside it", region);
    enum xm_status status = xm_scenarios_read(name, &sim->scenario, err);
    if (status != XM_OK)
        return status;
    snprintf(sim->title, sizeof sim->title, HYPERVISOR " (%s)", sim->scenario.sched->name);
    return xm_simhost_create(&sim->scenario, &sim->host, err);
}

enum xm_status xm_baked_sim_start(struct xm_baked_sim *sim, bool no_record, bool ends, struct xm_error *err)
{
    const struct xm_scenario *s = &sim->scenario;
    const struct xm_tee_config tee = {.path = sim->socket, .hypervisor = sim->title, .hz = s->hz, .events = s->events};
    xm_confine();
    enum xm_status status = xm_sim_control_open(sim->control_path, sim->host, &sim->control, err);
    if (status == XM_OK && !no_record)
        status = xm_tee_open(&tee, &sim->tee, err);
    if (status != XM_OK)
        return status;
    const struct xm_sim_source_config source = {.host = sim->host,
                                                .name = s->name,
                                                .poll_ns = s->poll_ns,
                                                .speed = XM_SIM_SPEED_ONE,
                                                .until_ns = ends ? s->duration_ns : 0,
                                                .wake_fd = xm_sim_control_fd(sim->control)};
    status = xm_sim_source_open(&source, &sim->source, err);
    if (status == XM_OK)
        xm_log_write(sim->log, XM_LOG_INFO,
                     "%s: the scenario %s, %u pCPUs with trace buffers of %u pages, event mask 0x%08x, clock %" PRIu64
                     " Hz, seed %" PRIu64 "; change it with xenmon sim-ctl",
                     sim->title, s->name, s->cpus, s->pages, s->events, s->hz, s->seed);
    return status;
}

void xm_baked_sim_loop(const struct xm_baked_sim *sim, struct xm_loop_config *loop)
{
    const struct xm_scenario *s = &sim->scenario;
    loop->source = sim->source;
    loop->tee = sim->tee;
    loop->around = xm_sim_source_surroundings(sim->source);
    loop->facts = (struct xm_writer_facts){
        .io_seen = xm_baked_io_seen(s->events),
        .hypervisor = HYPERVISOR,
        .scheduler = s->sched->name,
        .events = s->events,
        .buffer_bytes = (uint64_t)s->pages * 4096,
        .host_cpus = s->cpus,
    };
}

void xm_baked_sim_serve(struct xm_baked_sim *sim)
{
    if (sim->control)
        xm_sim_control_serve(sim->control);
}

void xm_baked_sim_look_after(struct xm_baked_sim *sim)
{
    if (!sim->source)
        return;
    uint64_t late_ns = xm_sim_source_status(sim->source).late_ns;
    if (late_ns && !sim->late_ns)
        xm_log_write(sim->log, XM_LOG_WARNING, "the simulated host is more work than this machine can do in real time: "
                                               "its time goes by more slowly");
    sim->late_ns = late_ns;
}

void xm_baked_sim_close(struct xm_baked_sim *sim)
{
    if (sim->source)
        xm_source_close(sim->source);
    xm_tee_close(sim->tee);
    xm_sim_control_close(sim->control);
    xm_simhost_destroy(sim->host);
    memset(sim, 0, sizeof *sim);
}

/* SPDX-License-Identifier: MIT */
#include "export/rpc.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include <xmlrpc-c/base.h>
#include <xmlrpc-c/server.h>

#define ARGUMENTS  5u
#define TEXT_BYTES 256u

struct xm_rpc {
    xmlrpc_registry *registry;
};

/* One call, which may hold several by system.multicall. */
struct call {
    const struct xm_ask *ask;
    unsigned answers;
    size_t values; /* in the answers so far */
};

/* ---- What is let through to the parser. */

/* Behind the `end` that follows *at; false: it does not. */
static bool skip_past(const char *xml, size_t bytes, size_t *at, const char *end)
{
    const char *found = memmem(xml + *at, bytes - *at, end, strlen(end));
    if (found)
        *at = (size_t)(found - xml) + strlen(end);
    return found;
}

static bool begins(const char *xml, size_t bytes, size_t at, const char *with)
{
    return bytes - at >= strlen(with) && memcmp(xml + at, with, strlen(with)) == 0;
}

/* A tag from its '<' on: its '>' ends it where it is not within quotes.  *at moves behind it. */
static bool skip_tag(const char *xml, size_t bytes, size_t *at, long *depth)
{
    char quote = 0;
    bool closing = begins(xml, bytes, *at, "</");
    for (size_t i = *at + 1; i < bytes; i++) {
        if (quote) {
            quote = xml[i] == quote ? 0 : quote;
        } else if (xml[i] == '"' || xml[i] == '\'') {
            quote = xml[i];
        } else if (xml[i] == '>') {
            *depth += closing ? -1 : xml[i - 1] == '/' ? 0 : 1;
            *at = i + 1;
            return true;
        }
    }
    return false;
}

/* The first of [at, end) that is no blank. */
static const char *skip_blanks(const char *at, const char *end)
{
    while (at < end && *at && strchr(" \t\r\n", *at))
        at++;
    return at;
}

/* Whether the text of an XML declaration names no encoding, or one whose bytes are UTF-8. */
static bool declares_plain_encoding(const char *text, size_t bytes)
{
    static const char *const plain[] = {"utf-8", "us-ascii"};
    const char *end = text + bytes;
    const char *at = memmem(text, bytes, "encoding", strlen("encoding"));
    if (!at)
        return true;
    at = skip_blanks(at + strlen("encoding"), end);
    if (at == end || *at++ != '=')
        return false;
    at = skip_blanks(at, end);
    if (at == end || (*at != '"' && *at != '\''))
        return false;
    for (size_t i = 0; i < sizeof plain / sizeof plain[0]; i++) {
        size_t length = strlen(plain[i]);
        if ((size_t)(end - at) > length + 1 && strncasecmp(at + 1, plain[i], length) == 0 &&
            at[length + 1] == *at)
            return true;
    }
    return false;
}

/*
 * The parser knows other encodings, in which '<' is not where it is looked for here: what it would read in
 * one of them is not let through.  Without a NUL nothing is UTF-16; with UTF-8 no mark of it begins.
 */
static bool is_plain_text(const char *xml, size_t bytes)
{
    size_t at = 0;
    json_t *checked = memchr(xml, '\0', bytes) ? NULL : json_stringn(xml, bytes);
    bool utf8 = checked != NULL;
    json_decref(checked);
    if (!utf8)
        return false;
    while (skip_past(xml, bytes, &at, "<?xml")) {
        const char *end = memmem(xml + at, bytes - at, "?>", 2);
        if (end && !declares_plain_encoding(xml + at, (size_t)(end - (xml + at))))
            return false;
    }
    return true;
}

/*
 * xmlrpc-c 1.33 has one text too few where it says what is wrong with the number in such an element, and
 * reads the one that is not there: a call of a hundred bytes would end the process.  No argument of ours is
 * one.
 */
static bool is_poison(const char *xml, size_t bytes, size_t at)
{
    static const char *const elements[] = {"<i8", "<ex:i8"};
    for (size_t i = 0; i < sizeof elements / sizeof elements[0]; i++) {
        size_t behind = at + strlen(elements[i]);
        if (begins(xml, bytes, at, elements[i]) && behind < bytes && strchr(" \t\r\n/>", xml[behind]))
            return true;
    }
    return false;
}

bool xm_rpc_fits(const char *xml, size_t bytes)
{
    long depth = 0;
    size_t at = 0;
    if (bytes > XM_RPC_CALL_BYTES || !is_plain_text(xml, bytes))
        return false;
    while (at < bytes) {
        const char *next = memchr(xml + at, '<', bytes - at);
        if (!next)
            return true;
        at = (size_t)(next - xml);
        bool good;
        if (begins(xml, bytes, at, "<?"))
            good = skip_past(xml, bytes, &at, "?>");
        else if (begins(xml, bytes, at, "<!--"))
            good = skip_past(xml, bytes, &at, "-->");
        else if (begins(xml, bytes, at, "<![CDATA["))
            good = skip_past(xml, bytes, &at, "]]>");
        else
            good = !begins(xml, bytes, at, "<!") && !is_poison(xml, bytes, at) &&
                   skip_tag(xml, bytes, &at, &depth);
        if (!good || depth > (long)XM_RPC_DEPTH)
            return false;
    }
    return true;
}

/* ---- JSON into XML-RPC. */

static xmlrpc_value *value_of(xmlrpc_env *env, json_t *json);

static xmlrpc_value *struct_of(xmlrpc_env *env, json_t *json)
{
    const char *key;
    json_t *member;
    xmlrpc_value *result = xmlrpc_struct_new(env);
    json_object_foreach(json, key, member)
    {
        if (env->fault_occurred)
            break;
        xmlrpc_value *value = value_of(env, member);
        if (env->fault_occurred)
            break;
        xmlrpc_struct_set_value(env, result, key, value);
        xmlrpc_DECREF(value);
    }
    return result;
}

static xmlrpc_value *array_of(xmlrpc_env *env, json_t *json)
{
    size_t i;
    json_t *member;
    xmlrpc_value *result = xmlrpc_array_new(env);
    json_array_foreach(json, i, member)
    {
        if (env->fault_occurred)
            break;
        xmlrpc_value *value = value_of(env, member);
        if (env->fault_occurred)
            break;
        xmlrpc_array_append_item(env, result, value);
        xmlrpc_DECREF(value);
    }
    return result;
}

/* Four bytes are what every client knows; larger numbers are <i8>. */
static xmlrpc_value *integer_of(xmlrpc_env *env, json_int_t value)
{
    if (value >= INT32_MIN && value <= INT32_MAX)
        return xmlrpc_int_new(env, (int)value);
    return xmlrpc_i8_new(env, value);
}

/* A new reference; NULL, and a fault, when out of memory. */
static xmlrpc_value *value_of(xmlrpc_env *env, json_t *json)
{
    xmlrpc_value *value;
    switch (json_typeof(json)) {
    case JSON_OBJECT:
        value = struct_of(env, json);
        break;
    case JSON_ARRAY:
        value = array_of(env, json);
        break;
    case JSON_STRING:
        value = xmlrpc_string_new_lp(env, json_string_length(json), json_string_value(json));
        break;
    case JSON_INTEGER:
        value = integer_of(env, json_integer_value(json));
        break;
    case JSON_REAL:
        value = xmlrpc_double_new(env, json_real_value(json));
        break;
    case JSON_TRUE:
    case JSON_FALSE:
        value = xmlrpc_bool_new(env, json_is_true(json));
        break;
    case JSON_NULL:
    default:
        value = xmlrpc_nil_new(env);
        break;
    }
    if (env->fault_occurred && value) {
        xmlrpc_DECREF(value);
        value = NULL;
    }
    return value;
}

/* ---- Methods. */

struct arguments {
    char text[ARGUMENTS][TEXT_BYTES];
    const char *of[ARGUMENTS]; /* NULL: not given, "", or nil */
};

/* A domid may be a number; all else is text, as in a query. */
static bool read_argument(xmlrpc_env *env, xmlrpc_value *value, char text[TEXT_BYTES])
{
    xmlrpc_type type = xmlrpc_value_type(value);
    if (type == XMLRPC_TYPE_NIL) {
        *text = '\0';
        return true;
    }
    if (type == XMLRPC_TYPE_INT) {
        int number;
        xmlrpc_read_int(env, value, &number);
        snprintf(text, TEXT_BYTES, "%d", number);
        return !env->fault_occurred;
    }
    if (type != XMLRPC_TYPE_STRING)
        return false;
    const char *string;
    size_t length;
    xmlrpc_read_string_lp(env, value, &length, &string);
    if (env->fault_occurred)
        return false;
    bool good = length < TEXT_BYTES && strlen(string) == length;
    snprintf(text, TEXT_BYTES, "%s", string);
    free((void *)(uintptr_t)string);
    return good;
}

static bool read_arguments(xmlrpc_env *env, xmlrpc_value *array, unsigned least, unsigned most,
                           struct arguments *a)
{
    int count = xmlrpc_array_size(env, array);
    *a = (struct arguments){0};
    if (env->fault_occurred)
        return false;
    if (count < (int)least || count > (int)most) {
        xmlrpc_env_set_fault_formatted(env, 400, "bad_arguments: %d arguments, and %u to %u are needed",
                                       count, least, most);
        return false;
    }
    for (int i = 0; i < count; i++) {
        xmlrpc_value *item;
        xmlrpc_array_read_item(env, array, (unsigned)i, &item);
        if (env->fault_occurred)
            return false;
        bool good = read_argument(env, item, a->text[i]);
        xmlrpc_DECREF(item);
        if (!good && !env->fault_occurred)
            xmlrpc_env_set_fault_formatted(
                env, 400, "bad_arguments: argument %d: a short text or an int is needed", i + 1);
        if (!good)
            return false;
        a->of[i] = *a->text[i] ? a->text[i] : NULL;
    }
    return true;
}

enum question { SNAPSHOT, HOST, DOMAINS, DOMAIN, VCPUS, CPUS, HISTORY, RANGES, METRICS, VERSION };

static json_t *ask(const struct xm_ask *who, enum question question, const struct arguments *a,
                   struct xm_refusal *refusal)
{
    struct xm_history_words words = {a->of[0], a->of[1], a->of[2], a->of[3], a->of[4], NULL};
    switch (question) {
    case SNAPSHOT:
        return xm_answer_windows(who, a->of[0], refusal);
    case HOST:
        return xm_answer_host(who, a->of[0], refusal);
    case DOMAINS:
        return xm_answer_domains(who, a->of[0], refusal);
    case DOMAIN:
        return xm_answer_domain(who, a->of[0], a->of[1], refusal);
    case VCPUS:
        return xm_answer_vcpus(who, a->of[0], a->of[1], refusal);
    case CPUS:
        return xm_answer_cpus(who, a->of[0], refusal);
    case HISTORY:
        return xm_answer_history(who, &words, refusal);
    case RANGES:
        return xm_answer_ranges(who, refusal);
    case METRICS:
        return xm_answer_metrics(who, refusal);
    case VERSION:
    default:
        return xm_answer_version(who, refusal);
    }
}

struct method {
    const char *name;
    enum question question;
    unsigned least, most;
    const char *signature; /* the result's type, the arguments'; several with commas */
    const char *help;
};

#define WINDOW_HELP "window: exec, 1s, 10s or a duration up to 1d; up to three with commas."

static const struct method methods[] = {
    {"xenmon.snapshot", SNAPSHOT, 0, 1, "S:,S:s", "Host, pCPUs and domains in a window (1s). " WINDOW_HELP},
    {"xenmon.host", HOST, 0, 1, "S:,S:s", "The host and all its pCPUs together. " WINDOW_HELP},
    {"xenmon.domains", DOMAINS, 0, 1, "S:,S:s", "All domains. " WINDOW_HELP},
    {"xenmon.domain", DOMAIN, 1, 2, "S:i,S:s,S:is,S:ss",
     "One domain by its id, with distributions since the trace began. " WINDOW_HELP},
    {"xenmon.vcpus", VCPUS, 1, 2, "S:i,S:s,S:is,S:ss", "The vCPUs of a domain, by its id. " WINDOW_HELP},
    {"xenmon.cpus", CPUS, 0, 1, "S:,S:s", "The pCPUs. " WINDOW_HELP},
    {"xenmon.history", HISTORY, 0, 5, "S:,S:i,S:is,S:iss,S:isss,S:issss,S:s,S:ss,S:sss,S:ssss,S:sssss",
     "Values over time: domain (id, name or UUID; '' is all), metrics with commas, from, to (RFC 3339, "
     "seconds since 1970, now, or as -5m), step (a duration). xenmon.metrics lists the metrics."},
    {"xenmon.history_ranges", RANGES, 0, 0, "S:", "What times xenmon.history can be asked about."},
    {"xenmon.metrics", METRICS, 0, 0, "S:", "What the values are called, and what they mean."},
    {"xenmon.version", VERSION, 0, 0, "S:", "Which program answers, from which region."},
};

/* Values in a document of ours, which is a few levels deep; at most `most` are counted. */
static size_t count_values(json_t *json, size_t most)
{
    const char *key;
    size_t i;
    json_t *member;
    size_t count = 1;
    json_object_foreach(json, key, member)
    {
        if (count >= most)
            break;
        count += count_values(member, most - count);
    }
    json_array_foreach(json, i, member)
    {
        if (count >= most)
            break;
        count += count_values(member, most - count);
    }
    return count;
}

/* All answers of a call are held until the last is made: together they have a bound, one alone its own. */
static bool has_room(xmlrpc_env *env, struct call *call, json_t *answer)
{
    size_t left = XM_RPC_VALUES - call->values;
    size_t values = count_values(answer, left + 1);
    if (values > left && call->values > 0) {
        call->values = XM_RPC_VALUES; /* and no more are made, only to be dropped */
        xmlrpc_env_set_fault_formatted(env, 400, "too_much: more than %u values in one call", XM_RPC_VALUES);
        return false;
    }
    call->values += values < left ? values : left;
    return true;
}

static xmlrpc_value *run_method(xmlrpc_env *env, xmlrpc_value *array, void *user, void *call_info)
{
    const struct method *method = user;
    struct call *call = call_info;
    struct arguments a;
    struct xm_refusal refusal = {0};
    if (!read_arguments(env, array, method->least, method->most, &a))
        return NULL;
    if (++call->answers > XM_RPC_ANSWERS) {
        xmlrpc_env_set_fault_formatted(env, 400, "too_much: more than %u answers in one call",
                                       XM_RPC_ANSWERS);
        return NULL;
    }
    if (call->values >= XM_RPC_VALUES) {
        xmlrpc_env_set_fault_formatted(env, 400, "too_much: more than %u values in one call", XM_RPC_VALUES);
        return NULL;
    }
    if (call->ask->put_off && call->ask->put_off(call->ask->turn_user)) { /* by another one of this call */
        xmlrpc_env_set_fault_formatted(env, 503, "busy: this is asked again");
        return NULL;
    }
    json_t *answer = ask(call->ask, method->question, &a, &refusal);
    if (!answer) {
        xmlrpc_env_set_fault_formatted(env, (int)refusal.status, "%s: %s", refusal.code, refusal.text);
        return NULL;
    }
    xmlrpc_value *value = has_room(env, call, answer) ? value_of(env, answer) : NULL;
    json_decref(answer);
    return value;
}

/* ---- The registry. */

enum xm_status xm_rpc_create(struct xm_rpc **rpc, struct xm_error *err)
{
    xmlrpc_env env;
    struct xm_rpc *r = calloc(1, sizeof *r);
    *rpc = NULL;
    if (!r)
        return xm_fail(err, XM_NOMEM, XM_NO_OFFSET, "out of memory");
    xmlrpc_limit_set(XMLRPC_NESTING_LIMIT_ID, XM_RPC_DEPTH);
    xmlrpc_limit_set(XMLRPC_XML_SIZE_LIMIT_ID, XM_RPC_CALL_BYTES);
    xmlrpc_env_init(&env);
    r->registry = xmlrpc_registry_new(&env);
    for (size_t i = 0; i < sizeof methods / sizeof methods[0] && !env.fault_occurred; i++) {
        /* The registry hands the row back as it is; it is never written to. */
        struct xmlrpc_method_info3 info = {.methodName = methods[i].name,
                                           .methodFunction = run_method,
                                           .serverInfo = (void *)(uintptr_t)&methods[i],
                                           .signatureString = methods[i].signature,
                                           .help = methods[i].help};
        xmlrpc_registry_add_method3(&env, r->registry, &info);
    }
    enum xm_status status = XM_OK;
    if (env.fault_occurred) {
        status = xm_fail(err, XM_NOMEM, XM_NO_OFFSET, "XML-RPC: %s", env.fault_string);
        xm_rpc_destroy(r);
    } else {
        *rpc = r;
    }
    xmlrpc_env_clean(&env);
    return status;
}

void xm_rpc_destroy(struct xm_rpc *rpc)
{
    if (!rpc)
        return;
    if (rpc->registry)
        xmlrpc_registry_free(rpc->registry);
    free(rpc);
}

/* An answer to what the parser is not to see. */
static void refuse_call(xmlrpc_env *env, xmlrpc_mem_block *output)
{
    xmlrpc_env fault;
    xmlrpc_env_init(&fault);
    xmlrpc_env_set_fault_formatted(&fault, 400,
                                   "bad_call: no XML-RPC in UTF-8, more than %u bytes, nested deeper than "
                                   "%u, or with an <i8>",
                                   XM_RPC_CALL_BYTES, XM_RPC_DEPTH);
    xmlrpc_serialize_fault(env, output, &fault);
    xmlrpc_env_clean(&fault);
}

enum xm_status xm_rpc_call(struct xm_rpc *rpc, const struct xm_ask *who, const char *xml, size_t bytes,
                           bool (*write)(void *user, const void *data, size_t bytes), void *user)
{
    struct call call = {.ask = who};
    xmlrpc_env env;
    xmlrpc_mem_block *output = NULL;
    xmlrpc_env_init(&env);
    if (xm_rpc_fits(xml, bytes)) {
        xmlrpc_registry_process_call2(&env, rpc->registry, xml, bytes, &call, &output);
    } else {
        output = xmlrpc_mem_block_new(&env, 0);
        if (!env.fault_occurred)
            refuse_call(&env, output);
    }
    bool good = !env.fault_occurred && output;
    if (good)
        write(user, xmlrpc_mem_block_contents(output), xmlrpc_mem_block_size(output));
    if (output)
        xmlrpc_mem_block_free(output);
    xmlrpc_env_clean(&env);
    return good ? XM_OK : XM_NOMEM;
}

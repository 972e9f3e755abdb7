/* SPDX-License-Identifier: MIT */
/* The certificate: kept as text and given to each handshake, so that another one can take its place at any
 * time. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/secret.h"
#include "export/http_int.h"

#define CHAIN    16u
#define KEY_MOST (1u << 20)

static enum xm_status load_file(const char *path, gnutls_datum_t *data, struct xm_error *err)
{
    if (access(path, R_OK) != 0) /* the library does not say why */
        return xm_fail(err, XM_IO, XM_NO_OFFSET, "%s: %s", path, strerror(errno));
    int failed = gnutls_load_file(path, data);
    if (failed < 0)
        return xm_fail(err, XM_IO, XM_NO_OFFSET, "%s: %s", path, gnutls_strerror(failed));
    return XM_OK;
}

/* Who has the key can pass for this host: it is looked after as tokens are. */
static enum xm_status load_key(const char *path, gnutls_datum_t *data, struct xm_error *err)
{
    char *text = NULL;
    size_t bytes = 0;
    enum xm_status status = xm_secret_read(path, KEY_MOST, &text, &bytes, err);
    *data = (gnutls_datum_t){(unsigned char *)text, (unsigned)bytes};
    return status;
}

static void drop(gnutls_datum_t *certificate, gnutls_datum_t *key)
{
    gnutls_free(certificate->data);
    xm_secret_free((char *)key->data, key->size);
    *certificate = (gnutls_datum_t){0};
    *key = (gnutls_datum_t){0};
}

/* That they are a certificate and its key. */
static enum xm_status check_pair(const struct xm_http_config *config, const gnutls_datum_t *certificate,
                                 const gnutls_datum_t *key, struct xm_error *err)
{
    gnutls_certificate_credentials_t credentials;
    if (gnutls_certificate_allocate_credentials(&credentials) < 0)
        return xm_fail(err, XM_NOMEM, XM_NO_OFFSET, "out of memory");
    int failed = gnutls_certificate_set_x509_key_mem(credentials, certificate, key, GNUTLS_X509_FMT_PEM);
    gnutls_certificate_free_credentials(credentials);
    if (failed < 0)
        return xm_fail(err, XM_INVALID, XM_NO_OFFSET, "certificate %s and key %s do not do: %s",
                       config->certificate, config->key, gnutls_strerror(failed));
    return XM_OK;
}

enum xm_status xm_http_tls_load(struct xm_http *http, struct xm_error *err)
{
    gnutls_datum_t certificate = {0};
    gnutls_datum_t key = {0};
    enum xm_status status = load_file(http->config.certificate, &certificate, err);
    if (status == XM_OK)
        status = load_key(http->config.key, &key, err);
    if (status == XM_OK)
        status = check_pair(&http->config, &certificate, &key, err);
    if (status == XM_OK) {
        pthread_mutex_lock(&http->tls_lock);
        gnutls_datum_t old[2] = {http->certificate, http->key};
        http->certificate = certificate;
        http->key = key;
        pthread_mutex_unlock(&http->tls_lock);
        certificate = old[0];
        key = old[1];
    }
    drop(&certificate, &key);
    return status;
}

void xm_http_tls_fini(struct xm_http *http)
{
    drop(&http->certificate, &http->key);
}

static int make_chain(const struct xm_http *http, gnutls_pcert_st **certs, unsigned *count)
{
    *count = CHAIN;
    *certs = gnutls_calloc(CHAIN, sizeof **certs);
    int failed =
        *certs ? gnutls_pcert_list_import_x509_raw(*certs, count, &http->certificate, GNUTLS_X509_FMT_PEM, 0)
               : GNUTLS_E_MEMORY_ERROR;
    if (failed < 0) {
        gnutls_free(*certs);
        *certs = NULL;
    }
    return failed;
}

/* The handshake frees what it gets. */
int xm_http_tls_retrieve(gnutls_session_t session, const struct gnutls_cert_retr_st *info,
                         gnutls_pcert_st **certs, unsigned *count, gnutls_ocsp_data_st **ocsp,
                         unsigned *ocsp_count, gnutls_privkey_t *key, unsigned *flags)
{
    struct MHD_Connection *mhd = gnutls_session_get_ptr(session);
    const union MHD_ConnectionInfo *context =
        mhd ? MHD_get_connection_info(mhd, MHD_CONNECTION_INFO_SOCKET_CONTEXT) : NULL;
    struct xm_http_connection *connection = context ? context->socket_context : NULL;
    if (!connection)
        return -1;
    struct xm_http *http = connection->http;
    gnutls_privkey_t made = NULL;
    pthread_mutex_lock(&http->tls_lock);
    int failed = make_chain(http, certs, count);
    if (failed >= 0 && (failed = gnutls_privkey_init(&made)) >= 0)
        failed = gnutls_privkey_import_x509_raw(made, &http->key, GNUTLS_X509_FMT_PEM, NULL, 0);
    pthread_mutex_unlock(&http->tls_lock);
    if (failed < 0) {
        for (unsigned i = 0; *certs && i < *count; i++)
            gnutls_pcert_deinit(&(*certs)[i]);
        gnutls_free(*certs);
        *certs = NULL;
        if (made)
            gnutls_privkey_deinit(made);
        return -1;
    }
    *key = made;
    *ocsp = NULL;
    *ocsp_count = 0;
    *flags = GNUTLS_CERT_RETR_DEINIT_ALL;
    return 0;
}

/* SPDX-License-Identifier: Apache-2.0 */
#include "channel.h"

static grpc_arg int_arg(const char *key, int value)
{
	return (grpc_arg){.type = GRPC_ARG_INTEGER, .key = (char *)key, .value.integer = value};
}

grpc_channel *channel_new(const char *target, grpc_channel_credentials *credentials,
			  const char *server_name, const ChannelTimes *times)
{
	/* the last one is left out without a name */
	grpc_arg args[] = {
	    /* a page or a deletion of many keys has no limit in etcd either */
	    int_arg(GRPC_ARG_MAX_RECEIVE_MESSAGE_LENGTH, -1),
	    int_arg(GRPC_ARG_KEEPALIVE_TIME_MS, times->keepalive_ms),
	    int_arg(GRPC_ARG_KEEPALIVE_TIMEOUT_MS, times->ping_ms),
	    /* the default, 2, ends the pings on a watch that is quiet */
	    int_arg(GRPC_ARG_HTTP2_MAX_PINGS_WITHOUT_DATA, 0),
	    /* etcd closes connections that ping without a stream */
	    int_arg(GRPC_ARG_KEEPALIVE_PERMIT_WITHOUT_CALLS, 0),
	    /* despite its name the time that a connect may take */
	    int_arg(GRPC_ARG_MIN_RECONNECT_BACKOFF_MS, times->connect_ms),
	    /* that is the greater of the two */
	    int_arg(GRPC_ARG_INITIAL_RECONNECT_BACKOFF_MS, times->connect_ms),
	    int_arg(GRPC_ARG_ENABLE_RETRIES, 0),
	    /* http_proxy in the environment is not meant for etcd */
	    int_arg(GRPC_ARG_ENABLE_HTTP_PROXY, 0),
	    /* else channels share connections, also broken ones */
	    int_arg(GRPC_ARG_USE_LOCAL_SUBCHANNEL_POOL, 1),
	    {.type = GRPC_ARG_STRING,
	     .key = (char *)GRPC_SSL_TARGET_NAME_OVERRIDE_ARG,
	     .value.string = (char *)server_name},
	};
	grpc_channel_args list = {G_N_ELEMENTS(args) - (server_name ? 0 : 1), args};

	return grpc_channel_create(target, credentials, &list);
}

static grpc_channel_credentials *credentials_verified(const TlsMaterial *tls)
{
	grpc_ssl_pem_key_cert_pair pair = {tls->key, tls->cert};

	return grpc_ssl_credentials_create_ex(tls->roots, tls->cert ? &pair : NULL, NULL, NULL);
}

static void offer_identity(grpc_tls_credentials_options *options, const TlsMaterial *tls)
{
	grpc_tls_identity_pairs *pairs = grpc_tls_identity_pairs_create();
	grpc_tls_certificate_provider *provider;

	grpc_tls_identity_pairs_add_pair(pairs, tls->key, tls->cert);
	provider = grpc_tls_certificate_provider_static_data_create(NULL, pairs);
	grpc_tls_credentials_options_set_certificate_provider(options, provider);
	grpc_tls_credentials_options_watch_identity_key_cert_pairs(options);
	grpc_tls_certificate_provider_release(provider);
}

/* gRPC's ordinary credentials always verify; only its newer ones, marked as
 * experimental, can be told not to. */
static grpc_channel_credentials *credentials_unverified(const TlsMaterial *tls)
{
	grpc_tls_credentials_options *options = grpc_tls_credentials_options_create();
	grpc_tls_certificate_verifier *anybody = grpc_tls_certificate_verifier_no_op_create();

	grpc_tls_credentials_options_set_verify_server_cert(options, 0);
	grpc_tls_credentials_options_set_check_call_host(options, 0);
	grpc_tls_credentials_options_set_certificate_verifier(options, anybody);
	grpc_tls_certificate_verifier_release(anybody);
	if (tls->cert)
		offer_identity(options, tls);
	return grpc_tls_credentials_create(options);
}

grpc_channel_credentials *channel_credentials_new(const TlsMaterial *tls)
{
	if (!tls)
		return grpc_insecure_credentials_create();
	return tls->verify ? credentials_verified(tls) : credentials_unverified(tls);
}

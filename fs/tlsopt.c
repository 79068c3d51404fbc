/* SPDX-License-Identifier: Apache-2.0 */
#include "tlsopt.h"

#include "setting.h"

/* What was asked for; a setting that asks for nothing has no text. */
enum { CACERT, CERT, KEY, SKIP_VERIFY, SECURE_TRANSPORT, N_WISHES };

/* Drops a switch that does not say TLS, which is the value MEANS_TLS. */
static gboolean wish_settle(Setting *wish, gboolean means_tls, GError **error)
{
	gboolean value = means_tls;

	if (wish->text && !setting_switch(wish, &value, error))
		return FALSE;
	if (value != means_tls)
		wish->text = NULL;
	return TRUE;
}

static gboolean wishes_read(Setting *wishes, const Given *given, gchar **environment,
			    GError **error)
{
	wishes[CACERT] = setting_get(given->cacert, "--cacert", "ETCDCTL_CACERT", environment);
	wishes[CERT] = setting_get(given->cert, "--cert", "ETCDCTL_CERT", environment);
	wishes[KEY] = setting_get(given->key, "--key", "ETCDCTL_KEY", environment);
	wishes[SKIP_VERIFY] = setting_get(given->insecure_skip_tls_verify,
					  "--insecure-skip-tls-verify",
					  "ETCDCTL_INSECURE_SKIP_TLS_VERIFY", environment);
	wishes[SECURE_TRANSPORT] = setting_get(given->insecure_transport, "--insecure-transport",
					       "ETCDCTL_INSECURE_TRANSPORT", environment);
	return wish_settle(&wishes[SKIP_VERIFY], TRUE, error) &&
	       wish_settle(&wishes[SECURE_TRANSPORT], FALSE, error);
}

static gboolean wishes_any(const Setting *wishes)
{
	for (guint i = 0; i < N_WISHES; i++) {
		if (wishes[i].text)
			return TRUE;
	}
	return FALSE;
}

/* WHERE says that there is no TLS; SCHEME would say that there is. */
static gboolean wishes_refuse(const Setting *wishes, const gchar *where, const gchar *scheme,
			      GError **error)
{
	for (guint i = 0; i < N_WISHES; i++) {
		if (!wishes[i].text || !wishes[i].by_flag)
			continue;
		g_set_error(error, G_OPTION_ERROR, G_OPTION_ERROR_BAD_VALUE,
			    "%s asks for TLS, which %s is without; write %s", wishes[i].where,
			    where, scheme);
		return FALSE;
	}
	return TRUE;
}

static gboolean wishes_check_pair(const Setting *wishes, GError **error)
{
	gboolean has_cert = wishes[CERT].text != NULL, has_key = wishes[KEY].text != NULL;

	if (has_cert == has_key)
		return TRUE;
	g_set_error(error, G_OPTION_ERROR, G_OPTION_ERROR_BAD_VALUE,
		    "%s: a certificate and its key belong together; give %s, too",
		    wishes[has_cert ? CERT : KEY].where, has_cert ? "--key" : "--cert");
	return FALSE;
}

static gboolean take_file(const Setting *wish, gchar **file, GError **error)
{
	if (!wish->text)
		return TRUE;
	*file = setting_file(wish, error);
	return *file != NULL;
}

gboolean tlsopt_take(Options *options, const Given *given, gchar **environment, SourceTls said,
		     const gchar *where, GError **error)
{
	Setting wishes[N_WISHES];

	if (!wishes_read(wishes, given, environment, error))
		return FALSE;
	if (said == SOURCE_TLS_OFF)
		return wishes_refuse(wishes, where,
				     options->source ? "etcds://" : "https:// or unixs://", error);
	options->tls = said == SOURCE_TLS_ON || wishes_any(wishes);
	options->insecure_skip_verify = wishes[SKIP_VERIFY].text != NULL;
	return wishes_check_pair(wishes, error) &&
	       take_file(&wishes[CACERT], &options->cacert, error) &&
	       take_file(&wishes[CERT], &options->cert, error) &&
	       take_file(&wishes[KEY], &options->key, error);
}

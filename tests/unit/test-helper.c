/* SPDX-License-Identifier: Apache-2.0 */
/* helper.h: mount(8)'s letters in ours; and what options_parse makes of them. */
#include <string.h>

#include "helper.h"
#include "options.h"

static void test_names(void)
{
	g_assert_true(helper_is_name("/sbin/mount.etcdfs"));
	g_assert_true(helper_is_name("mount.fuse.etcdfs"));
	g_assert_false(helper_is_name("/usr/bin/etcdfs"));
	g_assert_false(helper_is_name("/srv/mount.d/etcdfs"));
}

/* LINE and what comes out are separated by blanks. */
static gchar *translate(const gchar *line, gboolean *ret_fake, GError **error)
{
	g_auto(GStrv) argv = g_strsplit(line, " ", -1);
	g_autofree gchar **translated = helper_translate(argv, ret_fake, error);

	return translated ? g_strjoinv(" ", translated) : NULL;
}

static void assert_means(const gchar *line, const gchar *expected, gboolean expected_fake)
{
	g_autoptr(GError) error = NULL;
	gboolean fake;
	g_autofree gchar *ours = translate(line, &fake, &error);

	g_assert_no_error(error);
	g_assert_cmpstr(ours, ==, expected);
	g_assert_cmpint(fake, ==, expected_fake);
}

static void test_letters(void)
{
	assert_means("m etcd://h/ /mnt", "m etcd://h/ /mnt", FALSE);
	assert_means("m etcd://h/ /mnt -o rw,uid=5", "m etcd://h/ /mnt -o rw,uid=5", FALSE);
	assert_means("m etcd://h/ /mnt -sfnv -o rw", "m etcd://h/ /mnt -osloppy -o rw", TRUE);
	assert_means("m -n -v -r -w -i -t fuse.etcdfs etcd://h/ /mnt", "m etcd://h/ /mnt", FALSE);
	assert_means("m etcd://h/ /mnt -N /proc/7/fd/3 -orw",
		     "m etcd://h/ /mnt --mount-namespace /proc/7/fd/3 -o rw", FALSE);
	assert_means("m -f -- -h /mnt", "m -- -h /mnt", TRUE);
	assert_means("m -h", "m -h", FALSE);
	assert_means("m --version", "m -V", FALSE);
}

static void test_mistakes(void)
{
	static const struct {
		const gchar *line;
		const gchar *says;
	} mistakes[] = {
	    {"m etcd://h/ /mnt -d", "-d"},
	    {"m etcd://h/ /mnt -nx", "-x"},
	    {"m etcd://h/ /mnt --uid=5", "--"},
	    {"m etcd://h/ /mnt -o", "-o: a value is missing"},
	    {"m etcd://h/ /mnt -N", "-N: a value is missing"},
	};

	for (gsize i = 0; i < G_N_ELEMENTS(mistakes); i++) {
		g_autoptr(GError) error = NULL;
		gboolean fake;

		g_assert_null(translate(mistakes[i].line, &fake, &error));
		g_assert_true(error->domain == G_OPTION_ERROR);
		g_assert_nonnull(strstr(error->message, mistakes[i].says));
	}
}

/* As they are in memory, which ps shows, afterwards. */
static void test_password_is_hidden(void)
{
	gchar *argv[] = {g_strdup("mount.etcdfs"),
			 g_strdup("etcd://h/"),
			 g_strdup("/mnt"),
			 g_strdup("-o"),
			 g_strdup("user=u,password=SECRET,rw"),
			 NULL};
	gboolean fake;
	g_autofree gchar **translated = helper_translate(argv, &fake, NULL);
	g_auto(Options) options;

	g_assert_true(options_parse(&options, translated, NULL, NULL));
	g_assert_cmpstr(options.password, ==, "SECRET");
	g_assert_cmpstr(argv[4], ==, "user=u,password=******,rw");
	for (gsize i = 0; argv[i]; i++)
		g_free(argv[i]);
}

static void parse(const gchar *line, Options *options, GError **error)
{
	g_auto(GStrv) argv = g_strsplit(line, " ", -1);
	gboolean fake;
	g_autofree gchar **translated = helper_translate(argv, &fake, error);

	options_parse(options, translated, NULL, error);
}

static void test_sloppy(void)
{
	g_autoptr(GError) strict = NULL, sloppy = NULL, password = NULL;
	g_auto(Options) options;

	parse("m etcd://h/ /mnt -o frobnicate,uid=5", &options, &strict);
	g_assert_nonnull(strstr(strict->message, "frobnicate"));
	parse("m etcd://h/ /mnt -s -o user=u,password=a,b", &options, &password);
	g_assert_nonnull(strstr(password->message, "comma"));
	parse("m etcd://h/ /mnt -s -o frobnicate,uid=5,x=y", &options, &sloppy);
	g_assert_no_error(sloppy);
	g_assert_cmpuint(options.uid, ==, 5);
}

/* What mount(8) and libmount add by themselves. */
static void test_what_mount_adds(void)
{
	g_autoptr(GError) error = NULL;
	g_auto(Options) options;

	parse("m etcd://h/ /mnt -o rw,noexec,nosuid,nodev,user,users,owner,_netdev,nofail,noauto,"
	      "x-systemd.automount,X-mount.mkdir=0755,comment=x,uhelper=x,helper=x,silent,sloppy",
	      &options, &error);
	g_assert_no_error(error);
}

int main(int argc, char **argv)
{
	g_test_init(&argc, &argv, NULL);
	g_test_add_func("/helper/names", test_names);
	g_test_add_func("/helper/letters", test_letters);
	g_test_add_func("/helper/mistakes", test_mistakes);
	g_test_add_func("/helper/password", test_password_is_hidden);
	g_test_add_func("/helper/sloppy", test_sloppy);
	g_test_add_func("/helper/what-mount-adds", test_what_mount_adds);
	return g_test_run();
}

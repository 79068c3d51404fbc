/* SPDX-License-Identifier: Apache-2.0 */
/* test-secret.c - which bytes of a command line and an environment are overwritten. */
#include "secret.h"

typedef struct {
	const gchar *before; /* separated by blanks */
	const gchar *after;
} Hidden;

static void check(const Hidden *hidden, void (*hide)(gchar **strings))
{
	g_auto(GStrv) strings = g_strsplit(hidden->before, " ", -1);
	g_autofree gchar *after = NULL;

	hide(strings);
	after = g_strjoinv(" ", strings);
	g_assert_cmpstr(after, ==, hidden->after);
}

static const Hidden arguments[] = {
    {"--password=pass /mnt", "--password=**** /mnt"},
    {"--password pass /mnt", "--password **** /mnt"},
    {"--password= /mnt", "--password= /mnt"},
    {"--password", "--password"},
    {"--user=me:pass:word", "--user=me:*********"},
    {"--user me:pass /mnt", "--user me:**** /mnt"},
    {"--user me /mnt", "--user me /mnt"},
    {"--user=:pass", "--user=:****"},
    {"-o user=me:pass,ro /mnt", "-o user=me:****,ro /mnt"},
    {"-o ro,password=pa\\,ss,rw", "-o ro,password=******,rw"},
    {"-o password=pa\\", "-o password=***"},
    {"-opassword=pass,user=me,uid=1", "-opassword=****,user=me,uid=1"},
    {"-o user=me\\072pass,uid=1", "-o user=me********,uid=1"},
    {"-o user,password", "-o user,password"},
    {"-o", "-o"},
    {"--password-file=file --user=me", "--password-file=file --user=me"},
    {"-o password_file=file", "-o password_file=file"},
    /* A misplaced one is only seen until the error is printed. */
    {"etcd://me:pass@h:1,i:2/a@b /mnt", "etcd://*******@h:1,i:2/a@b /mnt"},
    {"etcd://h:1/a@b /mnt/a@b", "etcd://h:1/a@b /mnt/a@b"},
    {"--endpoints=http://a:b@h,http://c:d@e@i", "--endpoints=http://***@h,http://*****@i"},
    {"-o endpoints=http://a:b@h,password=pass", "-o endpoints=http://***@h,password=****"},
    /* More than is needed, never less. */
    {"-- --password pass", "-- --password ****"},
    {"--password -o user=me:pass", "--password ** user=me:pass"},
    {"--password --user me", "--password ****** me"},
};

static void test_argv(void)
{
	for (gsize i = 0; i < G_N_ELEMENTS(arguments); i++)
		check(&arguments[i], secret_hide_argv);
}

static const Hidden variables[] = {
    {"A=b ETCDCTL_PASSWORD=pass PASSWORD=pass", "A=b ETCDCTL_PASSWORD=**** PASSWORD=pass"},
    {"ETCDCTL_USER=me:pass USER=me:x", "ETCDCTL_USER=me:**** USER=me:x"},
    {"ETCDCTL_USER=me", "ETCDCTL_USER=me"},
    {"ETCDCTL_ENDPOINTS=http://a:b@h:1", "ETCDCTL_ENDPOINTS=http://***@h:1"},
    {"ETCDCTL_PASSWORD=a ETCDCTL_PASSWORD=b", "ETCDCTL_PASSWORD=* ETCDCTL_PASSWORD=*"},
    {"ETCDCTL_ ETCDCTL_PASSWORD ETCDCTL_PASSWORD=", "ETCDCTL_ ETCDCTL_PASSWORD ETCDCTL_PASSWORD="},
};

static void test_environment(void)
{
	for (gsize i = 0; i < G_N_ELEMENTS(variables); i++)
		check(&variables[i], secret_hide_environment);
	secret_hide_environment(NULL);
}

int main(int argc, char **argv)
{
	g_test_init(&argc, &argv, NULL);
	g_test_add_func("/secret/argv", test_argv);
	g_test_add_func("/secret/environment", test_environment);
	return g_test_run();
}

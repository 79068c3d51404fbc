/* SPDX-License-Identifier: Apache-2.0 */
/* Headers and events of this past, and of another. */
#include "history.h"

static KeyValue put(const char *key, const char *value, gint64 revision)
{
	return (KeyValue){
	    .key = {(const guint8 *)key, 1},
	    .value = {(const guint8 *)value, 1},
	    .mod_revision = revision,
	    .create_revision = 3,
	    .version = 2,
	};
}

static void set_up(History *history, gconstpointer data)
{
	KeyValue kv = put("k", "v", 10);

	history_init(history);
	history_see(history, &(EtcdHeader){.cluster_id = 1, .revision = 10, .raft_term = 5});
	history_anchor(history, &kv, KV_PUT);
}

static void tear_down(History *history, gconstpointer data)
{
	history_clear(history);
}

static void test_header(History *history, gconstpointer data)
{
	g_assert_null(history_fault(history, &(EtcdHeader){1, 2, 10, 5}, 10));
	g_assert_null(history_fault(history, &(EtcdHeader){1, 2, 99, 6}, 10));
	g_assert_nonnull(history_fault(history, &(EtcdHeader){1, 2, 9, 5}, 10));
	g_assert_nonnull(history_fault(history, &(EtcdHeader){1, 2, 10, 4}, 10));
	g_assert_nonnull(history_fault(history, &(EtcdHeader){2, 2, 10, 5}, 10));
	history_forget(history);
	g_assert_null(history_fault(history, &(EtcdHeader){2, 2, 1, 1}, 0));
}

static gboolean holds(const History *history, KeyValue kv)
{
	return history_anchor_holds(history, history_first_anchor(history), &kv);
}

static void test_put(History *history, gconstpointer data)
{
	KeyValue kv = put("k", "v", 10);

	g_assert_true(holds(history, kv));
	g_assert_false(holds(history, put("k", "w", 10)));
	g_assert_false(holds(history, put("k", "v", 9)));
	kv.version++;
	g_assert_false(holds(history, kv));
	g_assert_false(history_anchor_holds(history, history_first_anchor(history), NULL));
}

static void test_deletion(History *history, gconstpointer data)
{
	const HistoryAnchor *first = history_first_anchor(history), *second;
	KeyValue kv = put("d", "", 8);

	history_anchor(history, &kv, KV_DELETE);
	g_assert_null(history_anchor_after(history, first));
	kv.mod_revision = 11;
	history_anchor(history, &kv, KV_DELETE);
	second = history_anchor_after(history, first);
	g_assert_cmpint(second->revision, ==, 11);
	g_assert_null(history_anchor_after(history, second));
	g_assert_true(history_anchor_holds(history, second, NULL));
	g_assert_false(history_anchor_holds(history, second, &kv));
}

static void test_none(History *history, gconstpointer data)
{
	KeyValue kv = put("d", "", 8);

	history_forget_anchors(history);
	g_assert_null(history_first_anchor(history));
	history_anchor(history, &kv, KV_DELETE);
	g_assert_cmpint(history_first_anchor(history)->revision, ==, 8);
}

int main(int argc, char **argv)
{
	g_test_init(&argc, &argv, NULL);
	g_test_add("/history/header", History, NULL, set_up, test_header, tear_down);
	g_test_add("/history/put", History, NULL, set_up, test_put, tear_down);
	g_test_add("/history/deletion", History, NULL, set_up, test_deletion, tear_down);
	g_test_add("/history/none", History, NULL, set_up, test_none, tear_down);
	return g_test_run();
}

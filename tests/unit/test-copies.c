/* SPDX-License-Identifier: Apache-2.0 */
#include "copies.h"

#define DIR 7

typedef struct {
	Copies *copies;
} Fixture;

static void set_up(Fixture *f, gconstpointer data)
{
	f->copies = copies_new();
}

static void tear_down(Fixture *f, gconstpointer data)
{
	copies_free(f->copies);
}

/* Of the time between two questions of one who is there, and of one who is not. */
#define SOON (G_TIME_SPAN_SECOND)
#define LATE (3 * G_TIME_SPAN_SECOND)

static void extend(Copies *copies, guint8 epoch, guint64 from, guint64 to, gint64 now_us)
{
	copies_extend(copies, DIR, epoch, (CopyExtent){from, 10 * from}, (CopyExtent){to, 10 * to},
		      now_us);
}

static void assert_goes_to(Copies *copies, guint8 epoch, guint64 end, gint64 now_us)
{
	CopyExtent extent;

	g_assert_true(copies_find(copies, DIR, epoch, now_us, &extent));
	g_assert_cmpuint(extent.end, ==, end);
	g_assert_cmpuint(extent.bytes, ==, 10 * end);
}

static void assert_none(Copies *copies, guint8 epoch, gint64 now_us)
{
	CopyExtent extent;

	g_assert_false(copies_find(copies, DIR, epoch, now_us, &extent));
}

/* Of two who give the same kernel what comes next, one was first. */
static void test_two_of_an_epoch(Fixture *f, gconstpointer data)
{
	g_assert_cmpuint(copies_begin(f->copies, DIR, 7, 0), ==, 7);
	assert_goes_to(f->copies, 7, 0, 0);
	extend(f->copies, 7, 0, 24, 1);
	g_assert_cmpuint(copies_begin(f->copies, DIR, 7, 2), ==, 7);
	extend(f->copies, 7, 0, 20, 2);
	assert_goes_to(f->copies, 7, 24, 3);
	extend(f->copies, 7, 24, 40, 3);
	assert_goes_to(f->copies, 7, 40, 4);
	copies_forget(f->copies, DIR);
	assert_goes_to(f->copies, 7, 0, 5);
	/* nothing begins in the middle */
	extend(f->copies, 7, 40, 50, 6);
	assert_goes_to(f->copies, 7, 0, 6);
}

static void test_one_before_one_after(Fixture *f, gconstpointer data)
{
	extend(f->copies, 7, 0, 24, 0);
	g_assert_cmpuint(copies_begin(f->copies, DIR, 8, 1), ==, 8);
	assert_none(f->copies, 8, 1);
	extend(f->copies, 8, 0, 24, 1);
	extend(f->copies, 8, 24, 48, 1);
	assert_goes_to(f->copies, 7, 24, 2);
	extend(f->copies, 7, 24, 40, 2);
	assert_goes_to(f->copies, 7, 40, 3);
	assert_none(f->copies, 8, 3);
	copies_forget(f->copies, DIR);
	g_assert_cmpuint(copies_begin(f->copies, DIR, 8, 4), ==, 8);
	extend(f->copies, 8, 0, 24, 4);
	assert_goes_to(f->copies, 8, 24, 5);
}

/* What he has left is completed by one, who is alone with it. */
static void test_given_up(Fixture *f, gconstpointer data)
{
	extend(f->copies, 7, 0, 24, 0);
	assert_goes_to(f->copies, 7, 24, SOON);
	g_assert_cmpuint(copies_begin(f->copies, DIR, 8, LATE), ==, 8);
	assert_none(f->copies, 8, LATE);
	g_assert_cmpuint(copies_begin(f->copies, DIR, 9, SOON + LATE), ==, 7);
	g_assert_cmpuint(copies_begin(f->copies, DIR, 9, SOON + LATE), ==, 9);
	assert_goes_to(f->copies, 7, 24, SOON + LATE);
	extend(f->copies, 7, 24, 40, SOON + LATE);
	assert_goes_to(f->copies, 7, 40, SOON + LATE);
}

static void test_each_directory(Fixture *f, gconstpointer data)
{
	CopyExtent extent;

	extend(f->copies, 7, 0, 24, 0);
	g_assert_true(copies_find(f->copies, DIR + 1, 8, 0, &extent));
	g_assert_cmpuint(extent.end, ==, 0);
	copies_extend(f->copies, DIR + 1, 8, extent, (CopyExtent){3, 30}, 0);
	copies_forget(f->copies, DIR + 2);
	copies_forget(f->copies, DIR + 1);
	assert_none(f->copies, 8, 0);
	assert_goes_to(f->copies, 7, 24, 0);
	g_assert_true(copies_find(f->copies, DIR + 1, 9, 0, &extent));
}

#define ADD(name, function) g_test_add(name, Fixture, NULL, set_up, function, tear_down)

int main(int argc, char **argv)
{
	g_test_init(&argc, &argv, NULL);
	ADD("/copies/two-of-an-epoch", test_two_of_an_epoch);
	ADD("/copies/one-before-one-after", test_one_before_one_after);
	ADD("/copies/given-up", test_given_up);
	ADD("/copies/each-directory", test_each_directory);
	return g_test_run();
}

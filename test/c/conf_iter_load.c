/* Iterators: attributes in memory of their own. */
#include "conf_iter.h"

/* What objects have: the attributes of the test that is under way. */
struct has {
	CK_ATTRIBUTE_TYPE type;
	const char *value; /* NULL: none, or secret */
	size_t len;
};
static const struct has *object_has;
static CK_RV get_rv; /* of an answer without failures */
static int gets;     /* calls since the test began */

static void give(CK_ATTRIBUTE *attr, const void *value, CK_ULONG len, CK_RV *rv)
{
	if (attr->pValue && attr->ulValueLen < len) {
		attr->ulValueLen = CK_UNAVAILABLE_INFORMATION;
		*rv = CKR_BUFFER_TOO_SMALL;
		return;
	}
	if (attr->pValue && len)
		memcpy(attr->pValue, value, len);
	attr->ulValueLen = len;
}

static CK_RV get(CK_OBJECT_HANDLE object, CK_ATTRIBUTE *attrs, CK_ULONG n)
{
	CK_RV rv = get_rv;
	CK_ULONG i;

	(void)object;
	gets++;
	for (i = 0; i < n; i++) {
		const struct has *has = object_has;

		while (has->type != attrs[i].type && has->type != CKA_VENDOR_DEFINED)
			has++;
		note_call(" %lx/%s", attrs[i].type, attrs[i].pValue ? "room" : "none");
		if (has->value) {
			give(&attrs[i], has->value, has->len, &rv);
			continue;
		}
		attrs[i].ulValueLen = CK_UNAVAILABLE_INFORMATION;
		rv = has->type == attrs[i].type ? CKR_ATTRIBUTE_SENSITIVE : CKR_ATTRIBUTE_TYPE_INVALID;
	}
	return rv;
}

/* An iterator at an object that has these. */
static P11KitIter *at_object(const struct has *has)
{
	P11KitIter *iter = iter_for(NULL, 0);

	script_reset();
	script.objects = 1;
	script.attributes = get;
	object_has = has;
	get_rv = CKR_OK;
	gets = 0;
	p11_kit_iter_begin_with(iter, &scripted, 0, 44);
	must_ok(p11_kit_iter_next(iter));
	calls_made();
	return iter;
}

static void out_value(const char *name, const CK_ATTRIBUTE *attr)
{
	if (attr->pValue && attr->ulValueLen != CK_UNAVAILABLE_INFORMATION)
		out(name, "%lx %ld %.*s", attr->type, (long)attr->ulValueLen, (int)attr->ulValueLen, (char *)attr->pValue);
	else
		out(name, "%lx %ld %s", attr->type, (long)attr->ulValueLen, attr->pValue ? "unknown" : "none");
}

static void out_load(const char *name, P11KitIter *iter, CK_ATTRIBUTE *attrs, CK_ULONG n)
{
	char each[64];
	CK_ULONG i;

	out_rv(name, p11_kit_iter_load_attributes(iter, attrs, n));
	snprintf(each, sizeof each, "%s-calls", name);
	out(each, "%s", calls_made());
	for (i = 0; i < n; i++) {
		snprintf(each, sizeof each, "%s-%lu", name, i);
		out_value(each, &attrs[i]);
	}
}

static void *block(size_t size)
{
	void *p = calloc(1, size);

	must(p != NULL);
	return p;
}

static const struct has usual[] = {
	{ CKA_LABEL, "label", 5 }, { CKA_ID, "", 0 }, { CKA_VALUE, NULL, 0 }, { CKA_SUBJECT, "0123456789", 10 },
	{ CKA_VENDOR_DEFINED, NULL, 0 },
};

static void iter_load(void)
{
	P11KitIter *iter = at_object(usual);
	char same[5];
	CK_ATTRIBUTE attrs[] = {
		{ CKA_LABEL, NULL, 0 }, { CKA_ID, NULL, 0 }, { CKA_VALUE, NULL, 0 }, { CKA_URL, NULL, 0 },
		{ CKA_LABEL, block(3), 3 }, { CKA_SUBJECT, block(30), 30 }, { CKA_ID, block(3), 3 },
		{ CKA_VALUE, block(3), 3 }, { CKA_LABEL, same, sizeof same },
	};
	CK_ULONG n = sizeof attrs / sizeof *attrs, i;

	out_load("loaded", iter, attrs, n);
	out("same", "%d", attrs[8].pValue == same);
	out_rv("nothing", p11_kit_iter_load_attributes(iter, attrs, 0));
	out_rv("nothing-null", p11_kit_iter_load_attributes(iter, NULL, 0));
	out("nothing-calls", "%s", calls_made());
	/* What was loaded is used again. */
	out_load("again", iter, attrs, n);
	out_rv("get", p11_kit_iter_get_attributes(iter, attrs, 1));
	for (i = 0; i < n - 1; i++)
		free(attrs[i].pValue);
	p11_kit_iter_free(iter);
}

/* More than are asked for without memory. */
static void iter_load_many(void)
{
	P11KitIter *iter = at_object(usual);
	CK_ATTRIBUTE attrs[100] = { { 0, NULL, 0 } };
	CK_ULONG i, wrong = 0;

	for (i = 0; i < 100; i++)
		attrs[i].type = i % 3 ? CKA_LABEL : CKA_VALUE;
	must_ok(p11_kit_iter_load_attributes(iter, attrs, 100));
	for (i = 0; i < 100; i++) {
		wrong += i % 3 ? attrs[i].ulValueLen != 5 || memcmp(attrs[i].pValue, "label", 5) != 0
			       : attrs[i].pValue != NULL || attrs[i].ulValueLen != (CK_ULONG)-1;
		free(attrs[i].pValue);
	}
	out("wrong", "%lu", wrong);
	p11_kit_iter_free(iter);
}

static CK_RV fail(CK_OBJECT_HANDLE object, CK_ATTRIBUTE *attrs, CK_ULONG n)
{
	return gets == 0 ? get(object, attrs, n) : CKR_DEVICE_ERROR;
}

/* The reference loses the memory of the caller. */
static void iter_load_fails(void)
{
	CK_ATTRIBUTE attrs[] = { { CKA_LABEL, block(3), 3 }, { CKA_SUBJECT, NULL, 0 } };
	void *kept = attrs[0].pValue;
	P11KitIter *iter = at_object(usual);

	memcpy(kept, "old", 3);
	get_rv = CKR_DEVICE_ERROR;
	out_load("first", iter, attrs, 2);
	out("first-kept", "%d", attrs[0].pValue == kept);
	get_rv = CKR_OK;
	script.attributes = fail;
	out_load("second", iter, attrs, 2);
	out("second-kept", "%d", attrs[0].pValue == kept);
	free(kept);
	p11_kit_iter_free(iter);
}

/* An object that changes between the calls: longer, empty, gone. */
static const struct has longer[] = { { CKA_LABEL, "a longer label", 14 }, { CKA_VENDOR_DEFINED, NULL, 0 } };
static const struct has empty[] = { { CKA_LABEL, "", 0 }, { CKA_VENDOR_DEFINED, NULL, 0 } };
static const struct has gone[] = { { CKA_LABEL, NULL, 0 }, { CKA_VENDOR_DEFINED, NULL, 0 } };
static const struct has *becomes;

static CK_RV change(CK_OBJECT_HANDLE object, CK_ATTRIBUTE *attrs, CK_ULONG n)
{
	if (gets == 1)
		object_has = becomes;
	return get(object, attrs, n);
}

static void iter_load_changes(void)
{
	static const struct { const char *name; const struct has *from, *to; } cases[] = {
		{ "longer", usual, longer }, { "empty", usual, empty }, { "gone", usual, gone }, { "appears", gone, usual },
	};
	CK_ATTRIBUTE attr = { CKA_LABEL, NULL, 0 };
	P11KitIter *iter;
	size_t i;

	for (i = 0; i < sizeof cases / sizeof *cases; i++) {
		attr = (CK_ATTRIBUTE){ CKA_LABEL, NULL, 0 };
		iter = at_object(cases[i].from);
		becomes = cases[i].to;
		script.attributes = change;
		out_load(cases[i].name, iter, &attr, 1);
		free(attr.pValue);
		p11_kit_iter_free(iter);
	}
}

/* An object that changes all the time. */
static CK_RV change_always(CK_OBJECT_HANDLE object, CK_ATTRIBUTE *attrs, CK_ULONG n)
{
	object_has = gets % 2 ? longer : usual;
	return get(object, attrs, n);
}

/* A module that says lengths it does not keep, or that cannot be. */
static CK_RV lie(CK_OBJECT_HANDLE object, CK_ATTRIBUTE *attrs, CK_ULONG n)
{
	(void)object, (void)n;
	attrs[0].ulValueLen = attrs[0].pValue ? 6 : 5;
	return CKR_OK;
}

static CK_RV claim(CK_OBJECT_HANDLE object, CK_ATTRIBUTE *attrs, CK_ULONG n)
{
	(void)object, (void)n;
	attrs[0].ulValueLen = (CK_ULONG)-2;
	return CKR_OK;
}

static CK_RV point(CK_OBJECT_HANDLE object, CK_ATTRIBUTE *attrs, CK_ULONG n)
{
	(void)object, (void)n;
	attrs[0].ulValueLen = 5;
	attrs[0].pValue = "label";
	return CKR_OK;
}

static void iter_load_lies(void)
{
	static const struct { const char *name; CK_RV (*get)(CK_OBJECT_HANDLE, CK_ATTRIBUTE *, CK_ULONG); } cases[] = {
		{ "changes", change_always }, { "claim", claim }, { "lie", lie }, { "point", point },
	};
	size_t i;

	for (i = 0; i < sizeof cases / sizeof *cases; i++) {
		CK_ATTRIBUTE attr = { CKA_LABEL, block(3), 3 };
		void *kept = attr.pValue;
		P11KitIter *iter = at_object(usual);
		char name[32];

		memcpy(kept, "old", 3);
		script.attributes = cases[i].get;
		out_load(cases[i].name, iter, &attr, 1);
		snprintf(name, sizeof name, "%s-kept", cases[i].name);
		out(name, "%d", attr.pValue == kept);
		snprintf(name, sizeof name, "%s-message", cases[i].name);
		out_message(name);
		free(kept);
		p11_kit_iter_free(iter);
	}
}

/* Templates within templates, as deep as they are asked for. */
static int depth;

static void give_template(CK_ATTRIBUTE *attr, int level, CK_RV *rv)
{
	CK_ATTRIBUTE *inner = attr->pValue;
	CK_ULONG len = 2 * sizeof *inner;

	if (inner == NULL || attr->ulValueLen < len) {
		*rv = inner ? CKR_BUFFER_TOO_SMALL : *rv;
		attr->ulValueLen = inner ? CK_UNAVAILABLE_INFORMATION : len;
		return;
	}
	attr->ulValueLen = len;
	inner[0].type = CKA_LABEL;
	give(&inner[0], "inner", 5, rv);
	if (level > 0) {
		inner[1].type = CKA_WRAP_TEMPLATE;
		give_template(&inner[1], level - 1, rv);
	} else {
		inner[1].type = CKA_ID;
		give(&inner[1], "", 0, rv);
	}
}

static CK_RV get_template(CK_OBJECT_HANDLE object, CK_ATTRIBUTE *attrs, CK_ULONG n)
{
	CK_RV rv = CKR_OK;
	CK_ULONG i;

	(void)object;
	gets++;
	for (i = 0; i < n; i++)
		if (attrs[i].type == CKA_LABEL)
			give(&attrs[i], "outer", 5, &rv);
		else
			give_template(&attrs[i], depth, &rv);
	return rv;
}

/* Prints what is in a template, level by level. */
static void out_template(const char *name, const CK_ATTRIBUTE *attr)
{
	char inner[128];
	const CK_ATTRIBUTE *in = attr->pValue;
	CK_ULONG i;

	if (in == NULL || attr->type != CKA_WRAP_TEMPLATE) {
		out_value(name, attr);
		return;
	}
	for (i = 0; i < attr->ulValueLen / sizeof *in; i++) {
		snprintf(inner, sizeof inner, "%s-%lu", name, i);
		out_template(inner, &in[i]);
	}
}

static void free_template(CK_ATTRIBUTE *attr)
{
	CK_ATTRIBUTE *in = attr->pValue;
	CK_ULONG i;

	if (in && attr->type == CKA_WRAP_TEMPLATE)
		for (i = 0; i < attr->ulValueLen / sizeof *in; i++)
			free_template(&in[i]);
	free(in);
	attr->pValue = NULL;
}

static void iter_load_templates(void)
{
	CK_ATTRIBUTE attrs[] = { { CKA_WRAP_TEMPLATE, NULL, 0 }, { CKA_LABEL, NULL, 0 } };
	P11KitIter *iter = at_object(usual);
	int levels[] = { 0, 1, 3, 6, 100 };
	size_t i;

	script.attributes = get_template;
	for (i = 0; i < sizeof levels / sizeof *levels; i++) {
		char name[32];

		depth = levels[i];
		gets = 0;
		snprintf(name, sizeof name, "level-%d", depth);
		out_rv(name, p11_kit_iter_load_attributes(iter, attrs, 2));
		strcat(name, "-gets");
		out(name, "%d", gets);
		/* What was there before is replaced, or stays after an error. */
		snprintf(name, sizeof name, "level-%d-in", depth);
		out_template(name, &attrs[0]);
		snprintf(name, sizeof name, "level-%d-after", depth);
		out_value(name, &attrs[1]);
	}
	out_message("message");
	free_template(&attrs[0]);
	free_template(&attrs[1]);
	p11_kit_iter_free(iter);
}

const struct check iter_load_checks[] = {
	{ "iter-load", iter_load, BOTH },
	{ "iter-load-many", iter_load_many, BOTH },
	{ "iter-load-fails", iter_load_fails, BOTH },
	{ "iter-load-changes", iter_load_changes, BOTH },
	{ "iter-load-lies", iter_load_lies, OURS },
	{ "iter-load-templates", iter_load_templates, OURS },
	{ NULL, NULL, 0 }
};

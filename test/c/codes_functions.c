/*
 * Every function of the list: before C_Initialize, after C_Finalize, as it is
 * meant to be called, and with each argument wrong in each way that its kind
 * can be wrong.
 */
#include "codes_recipes.h"

#define OUT_ROOM 4096

static struct {
	CK_BYTE *input, *other, *pin, *output, *info;
	CK_ULONG *room, *found;
	CK_MECHANISM *mech;
	CK_ATTRIBUTE *attributes, *attributes2;
	CK_OBJECT_HANDLE *handle, *handle2, *handles;
} b;

static const char *member_name(int n)
{
	static const char *const names[] = {
#define MEMBER(n, name, args, since) [n] = #name,
		MEMBERS(MEMBER)
#undef MEMBER
	};
	return names[n];
}

/* A way to have an argument wrong: its value, or a way to make it so. */
struct variant {
	const char *name;
	CK_ULONG value;
	void (*spoil)(CK_ULONG *word);
};

static void use_closed(CK_ULONG *word)
{
	need(mod->C_OpenSession(slot, CKF_SERIAL_SESSION, NULL, NULL, word));
	need(mod->C_CloseSession(*word));
}

static void use_destroyed(CK_ULONG *word)
{
	*word = make_data(session, "gone", no, no);
	need(mod->C_DestroyObject(session, *word));
}

static void set_parameter(CK_ULONG *word, void *parameter, CK_ULONG n)
{
	((CK_MECHANISM *)*word)->pParameter = parameter;
	((CK_MECHANISM *)*word)->ulParameterLen = n;
}

static void mech_unknown(CK_ULONG *word) { *(CK_MECHANISM *)*word = no_mech; }
static void mech_other(CK_ULONG *word) { ((CK_MECHANISM *)*word)->mechanism = CKM_SHA_1; }
static void mech_no_parameter(CK_ULONG *word) { set_parameter(word, NULL, 16); }
static void mech_odd_parameter(CK_ULONG *word) { set_parameter(word, octets, 5); }
static void room_0(CK_ULONG *word) { *(CK_ULONG *)*word = 0; }
static void room_1(CK_ULONG *word) { *(CK_ULONG *)*word = 1; }
static void room_31(CK_ULONG *word) { *(CK_ULONG *)*word = 31; }
static void room_32(CK_ULONG *word) { *(CK_ULONG *)*word = 32; }
static void room_max(CK_ULONG *word) { *(CK_ULONG *)*word = HUGE_COUNT; }
static void empty_attribute(CK_ULONG *word) { ((CK_ATTRIBUTE *)*word)->pValue = NULL; }
static void odd_attribute(CK_ULONG *word) { ((CK_ATTRIBUTE *)*word)->ulValueLen = 3; }
static void unknown_attribute(CK_ULONG *word) { ((CK_ATTRIBUTE *)*word)->type = 0x7ffffff0; }

static void long_attribute(CK_ULONG *word)
{
	empty_attribute(word);
	((CK_ATTRIBUTE *)*word)->ulValueLen = HUGE_COUNT;
}

#define VALUE(name, value) { name, value, NULL }
#define SPOIL(name, fn) { name, 0, fn }
#define END { NULL, 0, NULL }

static const struct variant session_variants[] = {
	VALUE("unknown", NEVER), VALUE("zero", 0), VALUE("max", HUGE_COUNT),
	SPOIL("closed", use_closed), END,
};
static const struct variant slot_variants[] = { VALUE("unknown", NEVER), VALUE("max", HUGE_COUNT), END };
static const struct variant object_variants[] = {
	VALUE("unknown", NEVER), VALUE("zero", 0), VALUE("max", HUGE_COUNT),
	SPOIL("destroyed", use_destroyed), END,
};
static const struct variant pointer_variants[] = { VALUE("null", 0), END };
static const struct variant mech_variants[] = {
	VALUE("null", 0), SPOIL("unknown", mech_unknown), SPOIL("other", mech_other), SPOIL("no-parameter", mech_no_parameter),
	SPOIL("odd-parameter", mech_odd_parameter), END,
};
static const struct variant room_variants[] = {
	VALUE("null", 0), SPOIL("0", room_0), SPOIL("1", room_1), SPOIL("31", room_31),
	SPOIL("32", room_32), SPOIL("max", room_max), END,
};
static const struct variant template_variants[] = {
	VALUE("null", 0), SPOIL("empty", empty_attribute), SPOIL("long", long_attribute), SPOIL("odd", odd_attribute),
	SPOIL("unknown", unknown_attribute), END,
};
static const struct variant count_variants[] = { VALUE("0", 0), VALUE("1", 1), VALUE("max", HUGE_COUNT), END };
static const struct variant flag_variants[] = { VALUE("0", 0), VALUE("max", HUGE_COUNT), VALUE("high", 1ul << 31), END };
static const struct variant user_variants[] = {
	VALUE("officer", CKU_SO), VALUE("context", CKU_CONTEXT_SPECIFIC), VALUE("unknown", 99),
	VALUE("max", HUGE_COUNT), END,
};
static const struct variant type_variants[] = { VALUE("unknown", 0x7fffffff), VALUE("max", HUGE_COUNT), END };
static const struct variant none_variants[] = { END };

static const struct variant *variants_of(char kind)
{
	switch (kind) {
	case 's': return session_variants;
	case 'i': return slot_variants;
	case 'f': return flag_variants;
	case 'u': return user_variants;
	case 'e': return type_variants;
	case 'k': case 'K': case 'h': return object_variants;
	case 'm': return mech_variants;
	case 'l': return room_variants;
	case 't': case 'T': return template_variants;
	case 'n': case 'w': case 'q': case 'v': case 'c': case 'C': case 'B': return count_variants;
	case 'z': return none_variants;
	}
	return pointer_variants;
}

static void new_buffers(void)
{
	if (b.input == NULL) {
		b.input = guarded(32);
		b.other = guarded(32);
		b.pin = guarded(USER_PIN_N);
		b.output = guarded(OUT_ROOM);
		b.info = guarded(512);
		b.room = guarded(sizeof *b.room);
		b.found = guarded(sizeof *b.found);
		b.mech = guarded(sizeof *b.mech);
		b.attributes = guarded(5 * sizeof *b.attributes);
		b.attributes2 = guarded(2 * sizeof *b.attributes2);
		b.handle = guarded(sizeof *b.handle);
		b.handle2 = guarded(sizeof *b.handle2);
		b.handles = guarded(16 * sizeof *b.handles);
	}
	memcpy(b.input, octets, 32);
	memcpy(b.other, octets, 32);
	memcpy(b.pin, USER_PIN, USER_PIN_N);
	memset(b.output, 0xaa, OUT_ROOM);
	memset(b.info, 0xaa, 512);
	*b.room = OUT_ROOM;
	*b.found = 0xaaaa;
	*b.handle = *b.handle2 = 0;
	memset(b.handles, 0, 16 * sizeof *b.handles);
}

static void new_templates(const struct recipe *r)
{
	static CK_OBJECT_CLASS data_class, key_class;
	static CK_KEY_TYPE type;
	static CK_BYTE text[32];
	static CK_ULONG key_size;
	static CK_BBOOL read;

	data_class = CKO_DATA;
	key_class = CKO_SECRET_KEY;
	type = CKK_AES;
	key_size = 16;
	memcpy(text, "a label of thirty-two octets ...", 32);
	b.attributes[0] = (CK_ATTRIBUTE)ATTR(CKA_CLASS, data_class);
	b.attributes[1] = (CK_ATTRIBUTE)ATTR(CKA_TOKEN, no);
	b.attributes[2] = (CK_ATTRIBUTE){ CKA_LABEL, text, 5 };
	b.attributes[3] = (CK_ATTRIBUTE)ATTR(CKA_PRIVATE, no);
	b.attributes[4] = (CK_ATTRIBUTE){ CKA_VALUE, octets, 4 };
	if (strchr(r->kinds, 'm') != NULL) {
		b.attributes[0] = (CK_ATTRIBUTE)ATTR(CKA_CLASS, key_class);
		b.attributes[4] = (CK_ATTRIBUTE)ATTR(CKA_KEY_TYPE, type);
	}
	b.attributes2[0] = (CK_ATTRIBUTE){ CKA_LABEL, text, sizeof text };
	b.attributes2[1] = (CK_ATTRIBUTE)ATTR(CKA_TOKEN, no);
	if (r->member == M_C_GetAttributeValue)
		b.attributes2[1] = (CK_ATTRIBUTE)ATTR(CKA_TOKEN, read);
	if (r->member == M_C_SetAttributeValue)
		b.attributes2[1] = (CK_ATTRIBUTE){ CKA_APPLICATION, octets, 4 };
	if (r->member == M_C_GenerateKeyPair)
		b.attributes2[0] = (CK_ATTRIBUTE)ATTR(CKA_EC_PARAMS, p256);
	if (r->member == M_C_GenerateKey)
		b.attributes2[0] = (CK_ATTRIBUTE)ATTR(CKA_VALUE_LEN, key_size);
}

/* The argument as it should be.  Without a session no objects are made. */
static CK_ULONG argument(const struct recipe *r, char kind, bool live)
{
	switch (kind) {
	case 's': return session;
	case 'i': return slot;
	case 'f': case 'u': return r->flags;
	case 'e': return CKM_SHA256;
	case 'd': case 'a': return (CK_ULONG)b.input;
	case 'y': return (CK_ULONG)b.other;
	case 'n': case 'w': return 32;
	case 'p': return (CK_ULONG)b.pin;
	case 'q': return USER_PIN_N;
	case 'g': return (CK_ULONG)"C_Sign";
	case 'o': return (CK_ULONG)b.output;
	case 'v': return OUT_ROOM;
	case 'l': return (CK_ULONG)b.room;
	case 'm': return (CK_ULONG)b.mech;
	case 'k': return live && r->key ? r->key(session) : 0;
	case 'K': return live ? make_aes(session) : 0;
	case 'h': return live ? make_data(session, "a label", no, no) : 0;
	case 't': return (CK_ULONG)b.attributes;
	case 'c': return 5;
	case 'T': return (CK_ULONG)b.attributes2;
	case 'C': return 2;
	case 'H': return (CK_ULONG)b.handle;
	case 'J': return (CK_ULONG)b.handle2;
	case 'A': return (CK_ULONG)b.handles;
	case 'B': return 16;
	case 'L': return (CK_ULONG)b.found;
	case 'x': return (CK_ULONG)b.info;
	}
	return 0;
}

static void arguments(const struct recipe *r, CK_ULONG w[10], bool live)
{
	int i;

	new_buffers();
	new_templates(r);
	if (r->mech)
		*b.mech = *r->mech;
	memset(w, 0, 10 * sizeof *w);
	for (i = 0; r->kinds[i]; i++)
		w[i] = argument(r, r->kinds[i], live);
}

/* What is left in the structure, without what must differ. */
static unsigned info_sum(const struct recipe *r)
{
	if (r->member == M_C_GetSessionInfo) {
		CK_SESSION_INFO *info = (void *)b.info;

		info->slotID = info->slotID == slot;
	}
	if (r->member == M_C_GetTokenInfo)
		memset(((CK_TOKEN_INFO *)(void *)b.info)->utcTime, 0, 16);
	return checksum(b.info, 512);
}

static CK_RV call(const struct recipe *r, CK_ULONG w[10])
{
	return member((list_t)(void *)mod, r->member)(w[0], w[1], w[2], w[3], w[4], w[5], w[6], w[7], w[8], w[9]);
}

/* Calls, and tells all that the function wrote. */
static void call_and_report(const struct recipe *r, CK_ULONG w[10])
{
	CK_RV rv = call(r, w);
	char facts[256] = "";
	size_t n = 0, i;

	for (i = 0; r->kinds[i]; i++) {
		char *to = facts + n;
		size_t room = sizeof facts - n;

		if (w[i] == 0)
			continue;
		switch (r->kinds[i]) {
		case 'l':
			if (w[i] == (CK_ULONG)b.room && !(r->random && rv == CKR_OK))
				n += snprintf(to, room, " length=%lu", *b.room);
			break;
		case 'o':
			if (!r->random)
				n += snprintf(to, room, " output=%08x", checksum(b.output, OUT_ROOM));
			break;
		case 'x':
			if (!r->random)
				n += snprintf(to, room, " info=%08x", info_sum(r));
			break;
		case 'H': case 'J':
			n += snprintf(to, room, " handle=%d", *(CK_ULONG *)w[i] != 0);
			break;
		case 'L':
			n += snprintf(to, room, " found=%lu first=%d", *b.found, *b.handles != 0);
			break;
		case 'T':
			n += snprintf(to, room, " lengths=%ld,%ld", b.attributes2[0].ulValueLen, b.attributes2[1].ulValueLen);
			break;
		}
	}
	report(NULL, rv, "%s", *facts ? facts + 1 : "");
}

/* Which functions there are to try, and in how many ways. */
static size_t variants_in(const struct recipe *r)
{
	size_t n = 2; /* right, and not prepared */
	int i;

	for (i = 0; r->kinds[i]; i++) {
		const struct variant *v;

		for (v = variants_of(r->kinds[i]); v->name; v++)
			n++;
	}
	return n;
}

static size_t each_recipe(void)
{
	size_t n = 0;

	while (n < recipe_count && recipes[n].member <= last)
		n++;
	return n;
}

static size_t each_variant(void)
{
	size_t i, n = 0;

	for (i = 0; i < each_recipe(); i++)
		n += variants_in(&recipes[i]);
	return n;
}

/* A recipe and what is wrong: argument "at" as v says, or nothing (at < 0). */
struct trial {
	const struct recipe *r;
	const struct variant *v;
	int at;
	bool prepare;
};

static struct trial trial(size_t n)
{
	struct trial t = { recipes, NULL, -1, true };
	size_t k;

	for (; n >= (k = variants_in(t.r)); t.r++)
		n -= k;
	if (n < 2) {
		t.prepare = n == 0;
		return t;
	}
	for (n -= 2, t.at = 0;; t.at++)
		for (t.v = variants_of(t.r->kinds[t.at]); t.v->name; t.v++)
			if (n-- == 0)
				return t;
}

static enum needs describe_variant(size_t i, char name[CASE_NAME])
{
	struct trial t = trial(i);

	if (t.at < 0)
		snprintf(name, CASE_NAME, "%s %s", member_name(t.r->member), t.prepare ? "right" : "unprepared");
	else
		snprintf(name, CASE_NAME, "%s %d%c=%s", member_name(t.r->member), t.at + 1, t.r->kinds[t.at], t.v->name);
	return USER;
}

static void run_variant(size_t i)
{
	struct trial t = trial(i);
	CK_ULONG w[10];

	if (t.r->prepare && t.prepare)
		t.r->prepare();
	arguments(t.r, w, true);
	if (t.at >= 0) {
		if (t.v->spoil)
			t.v->spoil(&w[t.at]);
		else
			w[t.at] = t.v->value;
	}
	call_and_report(t.r, w);
}

static size_t each_function(void)
{
	return each_recipe() + other_recipe_count;
}

static const struct recipe *function(size_t i)
{
	return i < each_recipe() ? &recipes[i] : &other_recipes[i - each_recipe()];
}

static enum needs describe_before(size_t i, char name[CASE_NAME])
{
	snprintf(name, CASE_NAME, "%s", member_name(function(i)->member));
	return NOTHING;
}

static void run_before(size_t i)
{
	CK_ULONG w[10];

	arguments(function(i), w, false);
	report_rv(NULL, call(function(i), w));
}

static enum needs describe_after(size_t i, char name[CASE_NAME])
{
	describe_before(i, name);
	return USER;
}

static void run_after(size_t i)
{
	CK_ULONG w[10];

	arguments(function(i), w, true);
	need(mod->C_Finalize(NULL));
	report_rv(NULL, call(function(i), w));
}

const struct code_group before_group = { "before", NULL, 0, each_function, describe_before, run_before };
const struct code_group after_group = { "after", NULL, 0, each_function, describe_after, run_after };
const struct code_group functions_group = { "functions", NULL, 0, each_variant, describe_variant, run_variant };

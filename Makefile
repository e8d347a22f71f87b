# p11mux. README.md names what a user needs: make demo, make test.

# Not /usr/local: Debian's linker would take the library from there for programs that need more of p11-kit than it has yet.
PREFIX     ?= /opt/p11mux
LIBDIR     ?= $(PREFIX)/lib
SYSCONFDIR ?=
DATADIR    ?=
GO         ?= go
CC         ?= gcc

BUILD := build
LIB   := $(BUILD)/lib

BIN     := $(BUILD)/bin
LIBEXEC := $(BUILD)/libexec/p11mux
MANUAL  := $(BUILD)/share

CFLAGS  ?= -O2 -g
# What is built does not depend on where.
ANYWHERE := -ffile-prefix-map=$(CURDIR)=.
CFLAGS  += $(ANYWHERE)
CFLAGS  += -std=gnu11 -fPIC -fvisibility=hidden -Wall -Wextra -Werror -Iinclude -Ishim -Iinternal/capi
LDFLAGS += -Wl,-z,nodelete -Wl,-z,relro -Wl,-z,now -Wl,-z,noexecstack -Wl,--build-id

# The runtime as a quiet guest: no preemption signals, no file kept open to watch the processor quota, and stacks that keep
# the room shim/engine.c asks for.
GODEBUG_GUEST := asyncpreemptoff=1,containermaxprocs=0,updatemaxprocs=0,gcshrinkstackoff=1
CONF_VARS := $(if $(filter-out undefined default,$(origin MODULEDIR)),-X github.com/p11mux/p11mux/conf.libDir=$(patsubst %/pkcs11,%,$(MODULEDIR))) \
             $(if $(SYSCONFDIR),-X github.com/p11mux/p11mux/conf.sysconfDir=$(SYSCONFDIR)) \
             $(if $(DATADIR),-X github.com/p11mux/p11mux/conf.dataDir=$(DATADIR))
ENGINE_LDFLAGS := -s -w -X runtime.godebugDefault=$(GODEBUG_GUEST) $(CONF_VARS) -extldflags '-Wl,--build-id -Wl,-z,nodelete'

GO_FILES   := $(shell find . -name '*.go' -not -path './build/*' -not -name '*_test.go') go.mod
TRACE_PAGE := $(wildcard internal/trace/page/*)
C_HEADERS  := $(wildcard include/p11-kit/*.h shim/*.h internal/capi/*.h)
CGO_FILES  := $(wildcard internal/native/*.[ch] internal/capi/*.[ch] internal/sandbox/*.[ch] transport/*.[ch])

SHIM_SOURCES := $(filter-out shim/softtoken.c shim/client.c,$(wildcard shim/*.c)) $(wildcard shim/*.S)
SHIM_OBJECTS := $(patsubst shim/%,$(BUILD)/obj/%.o,$(SHIM_SOURCES))

# The bundled token is a shim of its own: messages, forks, and the way to an engine that has the token in it.
TOKEN_SOURCES := engine.c engine_file.c fork.c message.c softtoken.c
TOKEN_OBJECTS := $(patsubst %,$(BUILD)/obj/token/%.o,$(TOKEN_SOURCES))

# The client module is the library with other entry points, and an engine of its own.
CLIENT_SOURCES := $(filter-out shim/proxy_entry.c shim/library.c,$(SHIM_SOURCES)) shim/client.c
CLIENT_OBJECTS := $(patsubst shim/%,$(BUILD)/obj/client/%.o,$(CLIENT_SOURCES))

.PHONY: all
all: $(LIB)/libp11-kit.so $(LIB)/p11-kit-proxy.so $(LIB)/p11mux/engine.so $(LIB)/pkcs11/p11mux-softtoken.so $(LIB)/p11mux/softtoken-engine.so $(LIB)/pkcs11/p11-kit-client.so $(LIB)/p11mux/client-engine.so $(LIBEXEC)/enginecheck $(BIN)/p11mux $(BIN)/p11-kit $(MANUAL)

$(BUILD)/obj/%.o: shim/% $(C_HEADERS) Makefile
	@mkdir -p $(@D)
	$(CC) $(CFLAGS) -c $< -o $@

$(LIB)/libp11-kit.so.0: $(SHIM_OBJECTS) shim/libp11-kit.map
	@mkdir -p $(@D)
	$(CC) -shared $(LDFLAGS) -Wl,-soname,libp11-kit.so.0 -Wl,--version-script=shim/libp11-kit.map -o $@ $(SHIM_OBJECTS) -lpthread -ldl

$(LIB)/libp11-kit.so: $(LIB)/libp11-kit.so.0
	ln -sf libp11-kit.so.0 $@

# One file under two names is one library: all who use either share the engine.
$(LIB)/p11-kit-proxy.so: $(LIB)/libp11-kit.so.0
	ln -sf libp11-kit.so.0 $@

$(BUILD)/obj/token/%.o: shim/% $(C_HEADERS) Makefile
	@mkdir -p $(@D)
	$(CC) $(CFLAGS) -DP11_ENGINE_FILE='"../p11mux/softtoken-engine.so"' -c $< -o $@

$(LIB)/pkcs11/p11mux-softtoken.so: $(TOKEN_OBJECTS) shim/module.map
	@mkdir -p $(@D)
	$(CC) -shared $(LDFLAGS) -Wl,--version-script=shim/module.map -o $@ $(TOKEN_OBJECTS) -lpthread -ldl

$(BUILD)/obj/client/%.o: shim/% $(C_HEADERS) Makefile
	@mkdir -p $(@D)
	$(CC) $(CFLAGS) -ffunction-sections -fdata-sections -DP11_CLIENT -DP11_ENGINE_FILE='"../p11mux/client-engine.so"' -c $< -o $@

$(LIB)/pkcs11/p11-kit-client.so: $(CLIENT_OBJECTS) shim/module.map
	@mkdir -p $(@D)
	$(CC) -shared $(LDFLAGS) -Wl,--gc-sections -Wl,--version-script=shim/module.map -o $@ $(CLIENT_OBJECTS) -lpthread -ldl

# A file of its own, for an engine serves one library in a process.
$(LIB)/p11mux/client-engine.so: $(LIB)/p11mux/engine.so
	cp $< $@

# The C half with sanitizers, for the tests: build/address,undefined/lib and build/undefined/lib, each beside the same engine.
comma := ,
SANITIZED := $(BUILD)/address$(comma)undefined/lib/libp11-kit.so.0 $(BUILD)/undefined/lib/libp11-kit.so.0

.PHONY: sanitized
sanitized: $(SANITIZED)

$(SANITIZED): $(BUILD)/%/lib/libp11-kit.so.0: $(SHIM_SOURCES) shim/libp11-kit.map $(C_HEADERS) Makefile $(LIB)/p11mux/engine.so
	@mkdir -p $(@D)
	$(CC) $(CFLAGS) -O1 -fsanitize=$* -fno-sanitize-recover=undefined -shared $(LDFLAGS) -Wl,-soname,libp11-kit.so.0 \
		-Wl,--version-script=shim/libp11-kit.map -o $@ $(SHIM_SOURCES) -lpthread -ldl
	ln -sf libp11-kit.so.0 $(@D)/p11-kit-proxy.so
	ln -sfn ../../lib/p11mux $(@D)/p11mux

$(BUILD)/overlay/overlay.json: scripts/runtime-overlay.sh
	GO=$(GO) scripts/runtime-overlay.sh $(BUILD)/overlay

$(LIB)/p11mux/softtoken-engine.so: ENGINE_TAGS := -tags softtoken
$(LIB)/p11mux/engine.so $(LIB)/p11mux/softtoken-engine.so: $(BUILD)/overlay/overlay.json $(GO_FILES) $(CGO_FILES) $(C_HEADERS) Makefile
	@mkdir -p $(@D)
	CGO_ENABLED=1 CGO_CFLAGS="-O2 -g" $(GO) build -trimpath $(ENGINE_TAGS) \
		-overlay $(BUILD)/overlay/overlay.json -buildmode=c-shared -ldflags "$(ENGINE_LDFLAGS)" -o $@ ./cmd/engine
	@rm -f $(@:.so=.h)

# What a program in C sees of the library, for the doctor.
$(LIBEXEC)/enginecheck: internal/doctor/enginecheck/enginecheck.c Makefile
	@mkdir -p $(@D)
	$(CC) -O2 -g $(ANYWHERE) -std=gnu11 -Wall -Wextra -Werror $(LDFLAGS) -o $@ $< -ldl

# The command line reads the same places of configuration as the library.
$(BIN)/p11mux: $(GO_FILES) $(CGO_FILES) $(C_HEADERS) $(TRACE_PAGE) Makefile
	@mkdir -p $(@D)
	CGO_ENABLED=1 CGO_CFLAGS="-O2 -g" $(GO) build -trimpath -buildmode=pie -ldflags "-s -w $(CONF_VARS) -X github.com/p11mux/p11mux/internal/cli.version=$(VERSION)" \
		-o $@ ./cmd/p11mux

# Man pages and completions, made by the program from its commands.
$(MANUAL): $(BIN)/p11mux
	@rm -rf $@.new
	$(BIN)/p11mux manual $@.new
	@rm -rf $@
	@mv $@.new $@

# The name that scripts know it by.
$(BIN)/p11-kit: $(BIN)/p11mux
	ln -sf p11mux $@

$(BUILD)/demo: demo/demo.c $(C_HEADERS) $(LIB)/libp11-kit.so
	$(CC) -O2 -g -std=gnu11 -Wall -Wextra -Werror -Iinclude $< -o $@ -L$(LIB) -lp11-kit -ldl

# The problem and its cure, on the bundled token and nothing that the machine has configured.
.PHONY: demo
demo: all $(BUILD)/demo
	@LD_LIBRARY_PATH="$(CURDIR)/$(LIB)" P11_KIT_NO_USER_CONFIG=1 P11_SYSTEM_CONFIG_FILE=/dev/null \
		P11_PACKAGE_CONFIG_MODULES=/dev/null P11_SYSTEM_CONFIG_MODULES="$(CURDIR)/demo/modules" \
		P11_MODULE_PATH="$(CURDIR)/$(LIB)/pkcs11" $(BUILD)/demo $(LIB)/pkcs11/p11mux-softtoken.so

.PHONY: bench
bench: all
	$(GO) run ./bench $(BENCHFLAGS)

.PHONY: clean
clean:
	rm -rf $(BUILD)

# ---- Checks, tests, installation ----

FUZZTIME ?= 20s

STATICCHECK := $(GO) tool -modfile=tools/go.mod staticcheck

# Most packages are tested by themselves. Those in OUTSIDE run programs with what is built; internal/house is for check.
OUTSIDE_DIRS := test|bench|demo
TESTED  = $(shell $(GO) list ./... | grep -Ev '^[^/]*/[^/]*/[^/]*/($(OUTSIDE_DIRS)|internal/house)(/|$$)')
OUTSIDE = $(shell $(GO) list ./... | grep -E '^[^/]*/[^/]*/[^/]*/($(OUTSIDE_DIRS))(/|$$)')

# Everything that can be said without running a module, quick answers first.
.PHONY: check
check: all
	@files=$$(gofmt -l .) && test -z "$$files" || { echo "not formatted, run gofmt -w:" $$files >&2; exit 1; }
	$(GO) vet ./...
	$(GO) vet -tags softtoken ./...
	CGO_ENABLED=0 $(GO) vet ./...
	$(GO) test -count=1 ./internal/house
	$(STATICCHECK) ./...
	$(STATICCHECK) -tags softtoken ./cmd/engine
	cd bench/go && $(GO) vet ./... && $(GO) tool -modfile=../../tools/go.mod staticcheck ./...
	cd test/browser && $(GO) vet ./... && $(GO) tool -modfile=../../tools/go.mod staticcheck ./...

# The whole proof. Results of former runs are not believed: the packages of Debian may have changed since.
.PHONY: test
test:
	scripts/install-test-deps.sh
	$(MAKE) all sanitized deb chroot
	$(MAKE) check
	$(GO) test -count=1 -race $(TESTED)
	CGO_ENABLED=0 $(GO) test -count=1 $(TESTED)
	$(GO) test -count=1 -timeout 20m $(OUTSIDE)
	cd test/browser && $(GO) test -count=1 ./...

# Runs each fuzz target for FUZZTIME.
.PHONY: fuzz
fuzz: all sanitized
	GO=$(GO) scripts/fuzz.sh $(FUZZTIME)

# Writes again what is generated from spec.
.PHONY: gen
gen:
	$(GO) generate ./...

# The version of p11-kit whose programs can be built with our headers.
API_VERSION := 0.26.4
INCLUDEDIR  ?= $(PREFIX)/include
# Where the library looks a module up that is configured by a relative path: package conf has the same default.
MODULEDIR   ?= /usr/lib/$(shell $(CC) -print-multiarch)/pkcs11
# Where man and the shells look. This is not DATADIR, the place of p11-kit's configuration.
SHAREDIR    ?= $(PREFIX)/share
USERUNITDIR ?= $(PREFIX)/lib/systemd/user

# place puts a directory of the installation into a file that names it: $(call place,FROM,TO).
define place
	sed -e 's|@PREFIX@|$(PREFIX)|' -e 's|@LIBDIR@|$(LIBDIR)|' -e 's|@INCLUDEDIR@|$(INCLUDEDIR)|' \
		-e 's|@DATADIR@|$(or $(DATADIR),/usr/share)|' -e 's|@MODULEDIR@|$(MODULEDIR)|' -e 's|@VERSION@|$(API_VERSION)|' $(1) > $(BUILD)/placed
	install -D -m 644 $(BUILD)/placed $(DESTDIR)$(2)
	@rm $(BUILD)/placed
endef

# The bundled token is for "p11mux demo". No configuration names it, so no program uses it.
.PHONY: install
install: all
	install -d $(DESTDIR)$(PREFIX)/bin $(DESTDIR)$(LIBDIR)/p11mux $(DESTDIR)$(INCLUDEDIR)/p11-kit-1/p11-kit
	install -m 755 $(LIB)/libp11-kit.so.0 $(DESTDIR)$(LIBDIR)/libp11-kit.so.0
	ln -sf libp11-kit.so.0 $(DESTDIR)$(LIBDIR)/libp11-kit.so
	ln -sf libp11-kit.so.0 $(DESTDIR)$(LIBDIR)/p11-kit-proxy.so
	install -m 755 $(LIB)/p11mux/engine.so $(DESTDIR)$(LIBDIR)/p11mux/engine.so
	install -d $(DESTDIR)$(PREFIX)/libexec/p11mux
	install -m 755 $(LIBEXEC)/enginecheck $(DESTDIR)$(PREFIX)/libexec/p11mux/enginecheck
	install -d $(DESTDIR)$(LIBDIR)/pkcs11
	install -m 755 $(LIB)/p11mux/client-engine.so $(LIB)/p11mux/softtoken-engine.so $(DESTDIR)$(LIBDIR)/p11mux/
	install -m 755 $(LIB)/pkcs11/p11-kit-client.so $(LIB)/pkcs11/p11mux-softtoken.so $(DESTDIR)$(LIBDIR)/pkcs11/
	install -m 755 $(BIN)/p11mux $(DESTDIR)$(PREFIX)/bin/p11mux
	ln -sf p11mux $(DESTDIR)$(PREFIX)/bin/p11-kit
	install -m 644 include/p11-kit/*.h $(DESTDIR)$(INCLUDEDIR)/p11-kit-1/p11-kit/
	cd $(MANUAL) && find . -type f -exec install -D -m 644 {} $(abspath $(DESTDIR)/$(SHAREDIR))/{} \;
	$(call place,shim/p11-kit-1.pc.in,$(LIBDIR)/pkgconfig/p11-kit-1.pc)
	$(call place,systemd/p11mux-server.service.in,$(USERUNITDIR)/p11mux-server.service)
	install -m 644 systemd/p11mux-server.socket $(DESTDIR)$(USERUNITDIR)/p11mux-server.socket

# ---- Packages ----

# The version is that of the last entry.
VERSION := $(shell sed -n '1s/.*(\(.*\)).*/\1/p' debian/changelog)

# Packages of Debian, by debhelper, in $(BUILD).
.PHONY: deb
deb: all
	rm -rf $(BUILD)/deb
	mkdir -p $(BUILD)/deb
	cp -r debian $(BUILD)/deb/
	cd $(BUILD)/deb && DEB_RULES_REQUIRES_ROOT=no debian/rules binary TOP=$(CURDIR) DEB_DIR=$(abspath $(BUILD))

# A small system that the tests install the package into. It is made once, and as root.
CHROOT := $(BUILD)/chroot.tar

.PHONY: chroot
chroot:
	scripts/chroot.sh $(CHROOT)

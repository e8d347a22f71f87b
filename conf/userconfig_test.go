package conf

import "testing"

// TestUserConfig goes through the combinations of the modes that the two
// global files may set ("-" for a file that is not there, "" for one that does
// not set the mode) and checks which global options and modules count.
func TestUserConfig(t *testing.T) {
	for _, tt := range []struct{ system, user, want string }{
		{"-", "-", "merge {}"},
		{"-", "", "merge {g=u,u=1}"},
		{"-", "none", "none {}"},
		{"-", "merge", "merge {g=u,u=1,user-config=merge}"},
		{"-", "only", "only {g=u,u=1,user-config=only}"},
		{"-", "override", "only {g=u,u=1,user-config=override}"},
		{"", "-", "merge {g=s,s=1}"},
		{"", "", "merge {g=u,s=1,u=1}"},
		{"", "none", "none {g=s,s=1}"},
		{"", "merge", "merge {g=u,s=1,u=1,user-config=merge}"},
		{"", "only", "only {g=u,u=1,user-config=only}"},
		{"none", "-", "none {g=s,s=1,user-config=none}"},
		{"none", "", "none {g=s,s=1,user-config=none}"},
		{"none", "none", "none {g=s,s=1,user-config=none}"},
		{"none", "merge", "none {g=s,s=1,user-config=none}"},
		{"none", "only", "none {g=s,s=1,user-config=none}"},
		{"merge", "-", "merge {g=s,s=1,user-config=merge}"},
		{"merge", "", "merge {g=u,s=1,u=1,user-config=merge}"},
		{"merge", "none", "none {g=s,s=1,user-config=merge}"},
		{"merge", "merge", "merge {g=u,s=1,u=1,user-config=merge}"},
		{"merge", "only", "only {g=u,u=1,user-config=only}"},
		{"only", "-", "only {}"},
		{"only", "", "only {g=u,u=1}"},
		{"only", "none", "none {g=s,s=1,user-config=only}"},
		{"only", "merge", "merge {g=u,s=1,u=1,user-config=merge}"},
		{"only", "only", "only {g=u,u=1,user-config=only}"},
		{"override", "-", "only {}"},
		{"override", "merge", "merge {g=u,s=1,u=1,user-config=merge}"},
	} {
		t.Run("system "+tt.system+", user "+tt.user, func(t *testing.T) {
			tr := newTree(t, userConfigFiles(tt.system, tt.user))
			c := tr.load()
			tr.want(c, tt.want+userConfigModules[c.Mode])
			wantPaths(t, tr, c)
		})
	}
}

// userConfigModules are the modules in the tree of userConfigFiles that count
// in each mode.
var userConfigModules = map[string]string{
	"none":  " p{module=p} s{module=s} x{module=s}",
	"merge": " p{module=p} s{module=s} u{module=u} x{module=u}",
	"only":  " u{module=u} x{module=u}",
}

func userConfigFiles(system, user string) map[string]string {
	files := map[string]string{
		"package/p.module": "module: p", "package/x.module": "module: p",
		"system/s.module": "module: s", "system/x.module": "module: s",
		"user/u.module": "module: u", "user/x.module": "module: u",
	}
	add := func(name, text, mode string) {
		if mode == "-" {
			return
		}
		if mode != "" {
			text += "user-config: " + mode + "\n"
		}
		files[name] = text
	}
	add("system.conf", "g: s\ns: 1\n", system)
	add("user.conf", "g: u\nu: 1\n", user)
	return files
}

// wantPaths checks that Config.Paths has the directories that were used.
func wantPaths(t *testing.T, tr tree, c *Config) {
	t.Helper()
	want := tr.paths().WithDefaults()
	got := c.Paths
	switch c.Mode {
	case "none":
		want.UserModules = ""
		want.UserConfig = got.UserConfig // read if it was what set the mode
	case "only":
		want.SystemModules, want.PackageModules = "", ""
	}
	if got != want {
		t.Errorf("paths %+v, want %+v", got, want)
	}
}

// TestUserConfigInvalid checks that an unknown mode is reported, and that it
// forbids the user's configuration if it is the system's.
func TestUserConfigInvalid(t *testing.T) {
	for _, mode := range []string{" ", "None", "yes", "merge only"} {
		shown := mode
		if mode == " " {
			shown = ""
		}
		tr := newTree(t, userConfigFiles(mode, "only"))
		tr.want(tr.load(), "none {g=s,s=1,user-config="+shown+"}"+userConfigModules["none"],
			"T/system.conf:3: invalid mode for 'user-config': '"+shown+"' taken as 'none': ")

		tr = newTree(t, userConfigFiles("", mode))
		tr.want(tr.load(), "merge {g=u,s=1,u=1,user-config="+shown+"}"+userConfigModules["merge"],
			"T/user.conf:3: invalid mode for 'user-config': '"+shown+"' taken as 'merge': ")

		tr = newTree(t, userConfigFiles("only", mode))
		tr.want(tr.load(), "only {g=u,u=1,user-config="+shown+"}"+userConfigModules["only"],
			"T/user.conf:3: invalid mode for 'user-config': '"+shown+"' taken as 'only': ")
	}
}

// TestUserConfigForced checks who does not get a user's configuration at all.
func TestUserConfigForced(t *testing.T) {
	noUser := func(value string) func(string) (string, bool) {
		return func(name string) (string, bool) { return value, name == "P11_KIT_NO_USER_CONFIG" }
	}
	for name, env := range map[string]Env{
		"secure":         {UID: 1000, Secure: true},
		"root":           {UID: 0},
		"variable":       {UID: 1000, Getenv: noUser("1")},
		"empty variable": {UID: 1000, Getenv: noUser("")},
	} {
		t.Run(name, func(t *testing.T) {
			for _, mode := range []string{"merge", "only"} {
				files := userConfigFiles(mode, "only")
				files["user.conf"] += "not even read\n"
				tr := newTree(t, files)
				c := Load(tr.paths(), env)
				tr.want(c, "none {g=s,s=1,user-config="+mode+"}"+userConfigModules["none"])
				if c.Paths.UserConfig != "" {
					t.Errorf("user's file %s counts as used", c.Paths.UserConfig)
				}
			}
		})
	}
}

// TestUserConfigHome finds the user's files by way of the environment.
func TestUserConfigHome(t *testing.T) {
	tr := newTree(t, map[string]string{
		"home/.config/pkcs11/pkcs11.conf":      "x: home",
		"home/.config/pkcs11/modules/m.module": "module: home",
		"xdg/pkcs11/pkcs11.conf":               "x: xdg",
		"xdg/pkcs11/modules/m.module":          "module: xdg",
	})
	paths := tr.paths()
	paths.UserConfig, paths.UserModules = "", ""
	home, xdg := tr.path("home"), tr.path("xdg")

	tr.want(Load(paths, environ(map[string]string{"HOME": home})), "merge {x=home} m{module=home}")
	tr.want(Load(paths, environ(map[string]string{"HOME": home, "XDG_CONFIG_HOME": xdg})), "merge {x=xdg} m{module=xdg}")
	tr.want(Load(paths, environ(map[string]string{"HOME": tr.path("missing")})), "merge {}")

	// No home at all, as in a container with a user id of its own.
	tr.want(Load(paths, environ(nil)), "merge {}")

	env := environ(nil)
	env.HomeOf = func(uid int) (string, bool) { return home, uid == 1000 }
	c := Load(paths, env)
	tr.want(c, "merge {x=home} m{module=home}")
	if want := home + "/.config/pkcs11/modules"; c.Paths.UserModules != want {
		t.Errorf("user's modules in %q, want %q", c.Paths.UserModules, want)
	}
}

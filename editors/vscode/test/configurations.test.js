// The manifest and the code agree, and what is started is right. Run by `npm test`, without VS Code.

"use strict";

const assert = require("node:assert/strict");
const fs = require("node:fs");
const path = require("node:path");
const Module = require("node:module");
const { it } = require("node:test");
const configurations = require("../configurations");

const root = path.join(__dirname, "..");
const manifest = JSON.parse(fs.readFileSync(path.join(root, "package.json"), "utf8"));

/** The extension with a stand-in for VS Code that keeps what is registered. */
function activated(settings = {}) {
    const registered = { factories: {}, providers: {}, commands: {} };
    const vscode = {
        workspace: { getConfiguration: () => ({ get: (name) => settings[name] }) },
        debug: {
            registerDebugAdapterDescriptorFactory: (type, factory) => { registered.factories[type] = factory; },
            registerDebugConfigurationProvider: (type, provider) => { registered.providers[type] = provider; },
        },
        commands: { registerCommand: (name, handler) => { registered.commands[name] = handler; } },
        DebugAdapterServer: class { constructor(port, host) { Object.assign(this, { port, host }); } },
        DebugAdapterExecutable: class { constructor(command, args) { Object.assign(this, { command, args }); } },
        window: {},
    };
    const load = Module._load;
    Module._load = (name, ...rest) => (name === "vscode" ? vscode : load(name, ...rest));
    try {
        delete require.cache[require.resolve("../extension")];
        require("../extension").activate({ subscriptions: [] });
    } finally {
        Module._load = load;
    }
    return registered;
}

it("declares what it registers", () => {
    const { factories, providers, commands } = activated();
    const types = manifest.contributes.debuggers.map((item) => item.type);
    assert.deepEqual(types, ["opencwm"]);
    assert.deepEqual([Object.keys(factories), Object.keys(providers)], [types, types]);
    const declared = manifest.contributes.commands.map((item) => item.command);
    assert.deepEqual(Object.keys(commands).sort(), [...declared].sort());
    const shown = Object.values(manifest.contributes.menus).flat().map((item) => item.command);
    assert.ok(shown.every((command) => declared.includes(command)));
    for (const file of manifest.files.filter((name) => name !== "LICENSE")) assert.ok(fs.existsSync(path.join(root, file)), file);
});

it("starts opencwm dap, or joins a server on this machine", () => {
    const factory = activated({ command: ["/venv/bin/opencwm"] }).factories.opencwm;
    assert.deepEqual({ ...factory.createDebugAdapterDescriptor({ configuration: {} }) },
        { command: "/venv/bin/opencwm", args: ["dap"] });
    assert.deepEqual({ ...factory.createDebugAdapterDescriptor({ configuration: { port: 4711 } }) },
        { port: 4711, host: "127.0.0.1" });
    assert.deepEqual(configurations.adapter({}, manifest.contributes.configuration.properties["opencwm.command"].default),
        { command: "opencwm", args: ["dap"] });
    assert.throws(() => configurations.adapter({}, []), /must be a list/);
    assert.throws(() => configurations.adapter({}, "opencwm"), /must be a list/);
});

it("makes configurations of what the manifest allows", () => {
    const { launch, attach } = manifest.contributes.debuggers[0].configurationAttributes;
    const own = new Set(["type", "request", "name"]);
    const { initialConfigurations, configurationSnippets } = manifest.contributes.debuggers[0];
    const made = [
        configurations.ofCall("/a.py", "f()"),
        configurations.ofSelection("x = 1", "f()"),
        ...initialConfigurations,
        ...configurationSnippets.map((item) => item.body),
    ];
    for (const configuration of made) {
        const known = (configuration.request === "launch" ? launch : attach).properties;
        for (const key of Object.keys(configuration)) assert.ok(own.has(key) || key in known, key);
        assert.equal(configuration.type, "opencwm");
    }
});

it("knows which selections need a call, and proposes one", () => {
    assert.ok(configurations.needsCall("import os\n\ndef f(x):\n    return x\n"));
    assert.ok(configurations.needsCall("    @cached\n    def f(x):\n        return x\n"));
    assert.ok(!configurations.needsCall("x = 1\nfor i in range(x):\n    pass\n"));
    assert.ok(!configurations.needsCall("def f():\n    pass\nf()\n"));
    assert.deepEqual(configurations.functions("def f(\n  x):\n  def g(): 0\nasync def ä(x): 1\n"), ["f", "ä"]);
    assert.equal(configurations.proposedCall("def f(): 0\n\ndef g(): 1\n", 0), "f()");
    assert.equal(configurations.proposedCall("def f(): 0\n\ndef g(): 1\n"), "g()");
    assert.equal(configurations.proposedCall("x = 1"), "");
});

it("reads the timelines", () => {
    const text = "  1: as it began\n> 2: n = 4 set at step 3, line 2, was 0";
    assert.deepEqual(configurations.timelines(text), [
        { number: 1, label: "as it began", isCurrent: false },
        { number: 2, label: "n = 4 set at step 3, line 2, was 0", isCurrent: true },
    ]);
});

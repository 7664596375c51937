// Microsoft's client drives `opencwm dap`, over stdio and over TCP. Run by test_dap_conformance.py, which says
// in OPENCWM_TEST how to start a server and where programs may be written.

"use strict";

const assert = require("node:assert/strict");
const fs = require("node:fs");
const path = require("node:path");
const net = require("node:net");
const { spawn } = require("node:child_process");
const { after, before, afterEach, describe, it } = require("node:test");
const { DebugClient } = require("@vscode/debugadapter-testsupport");

const { python, script, folder } = JSON.parse(process.env.OPENCWM_TEST);
const WAIT_MS = 20_000;

const COUNT = `def count(word, letter):
    n = 0
    for c in word:
        if c == letter:
            n += 1
    return n


def f(word):
    before = [word, {'k': 1}]
    k = count(word, 'r')
    return k + 1
`;
const file = path.join(folder, "count.py");
fs.writeFileSync(file, COUNT);
const real = { program: file, call: "f('brr')", mode: "real" };

/** A server on a port of its own choice. */
function startServer() {
    const server = spawn(python, [script, "--port", "0"], { stdio: ["ignore", "ignore", "pipe"] });
    return new Promise((resolve, reject) => {
        let said = "";
        server.stderr.on("data", (data) => {
            said += data;
            const found = /listening on 127\.0\.0\.1 port (\d+)/.exec(said);
            if (found) resolve({ server, port: Number(found[1]) });
        });
        server.on("exit", () => reject(new Error(`the server ended: ${said}`)));
    });
}

for (const transport of ["stdio", "tcp"]) {
    describe(transport, () => {
        let server, port;
        const clients = [];

        before(async () => {
            if (transport === "tcp") ({ server, port } = await startServer());
        });
        after(() => server && server.kill());
        afterEach(async () => {
            for (const client of clients.splice(0)) await client.stop();
        });

        async function connect() {
            const client = new DebugClient(python, script, "opencwm", { env: process.env }, true);
            client.defaultTimeout = WAIT_MS;
            clients.push(client);
            await client.start(port);
            return client;
        }

        /** Launch, stopped at the first line. */
        async function entered(launch = real) {
            const client = await connect();
            await Promise.all([
                client.configurationSequence(),
                client.launch({ ...launch, stopOnEntry: true }),
                client.assertStoppedLocation("entry", {}),
            ]);
            return client;
        }

        /** Make a move and return the frame it stops in. */
        async function move(client, request, reason = "step") {
            const [, trace] = await Promise.all([
                client[`${request}Request`]({ threadId: 1 }),
                client.assertStoppedLocation(reason, {}),
            ]);
            return trace.body.stackFrames[0];
        }

        async function locals(client) {
            const trace = await client.stackTraceRequest({ threadId: 1 });
            const scopes = await client.scopesRequest({ frameId: trace.body.stackFrames[0].id });
            const reference = scopes.body.scopes[0].variablesReference;
            const answer = await client.variablesRequest({ variablesReference: reference });
            return { reference, variables: answer.body.variables };
        }

        it("runs to a breakpoint", async () => {
            const client = await connect();
            await client.hitBreakpoint(real, { path: file, line: 5 });
        });

        it("moves a breakpoint from a line without code", async () => {
            const client = await connect();
            await client.hitBreakpoint(real, { path: file, line: 1 }, { path: file, line: 2 }, { path: file, line: 2 });
        });

        it("steps in every way, forward and back", async () => {
            const client = await entered();
            const lines = [];
            for (const request of ["next", "stepIn", "next", "next", "stepOut", "next", "next"]) {
                lines.push((await move(client, request)).line);
            }
            assert.deepEqual(lines, [11, 2, 3, 4, 6, 12, 12]);
            assert.equal((await move(client, "stepBack")).line, 12);
            assert.equal((await move(client, "stepBack")).line, 11);
            await client.setBreakpointsRequest({ source: { path: file }, breakpoints: [{ line: 5 }] });
            assert.equal((await move(client, "continue", "breakpoint")).line, 5);
            assert.equal((await move(client, "continue", "breakpoint")).line, 5);
            assert.equal((await move(client, "reverseContinue", "breakpoint")).line, 5);
            await move(client, "reverseContinue", "entry");
        });

        it("expands variables and evaluates expressions", async () => {
            const client = await entered();
            await move(client, "next");
            const { variables } = await locals(client);
            const before = variables.find((item) => item.name === "before");
            assert.equal(before.value, "['brr', {'k': 1}]");
            assert.equal(before.indexedVariables, 2);
            const inside = await client.variablesRequest({
                variablesReference: before.variablesReference, filter: "indexed", start: 1, count: 1,
            });
            assert.deepEqual(inside.body.variables.map((item) => [item.name, item.value]), [["1", "{'k': 1}"]]);
            const answer = await client.evaluateRequest({ expression: "len(word) + before[1]['k']", context: "watch" });
            assert.equal(answer.body.result, "4");
            await assert.rejects(client.evaluateRequest({ expression: "nothing", context: "hover" }), /no local/);
        });

        it("sets a variable of a prediction, with the model in the box", async () => {
            const client = await entered({ program: file, call: "count('r', 'r')" });
            await move(client, "next");
            const { reference, variables } = await locals(client);
            assert.match(variables.find((item) => item.name === "n").value, /^0 {2}\(predicted .*%\)$/);
            const answer = await client.setVariableRequest({ variablesReference: reference, name: "n", value: "41" });
            assert.equal(answer.body.value, "41  (supplied)");
            const frame = await move(client, "next");
            assert.equal(frame.line, 4);
            assert.equal((await locals(client)).variables.find((item) => item.name === "n").value, "41  (supplied)");
            assert.equal((await move(client, "stepBack")).line, 3);
        });

        it("restarts, stops at the end and terminates", async () => {
            const client = await entered();
            await move(client, "stepIn");
            const [, trace] = await Promise.all([
                client.restartRequest({}),
                client.assertStoppedLocation("entry", { path: file, line: 10 }),
            ]);
            assert.equal(trace.body.stackFrames[0].name, "f");
            await move(client, "continue", "end");
            await Promise.all([client.continueRequest({ threadId: 1 }), client.waitForEvent("terminated")]);
            await client.disconnectRequest();
            client.stopAdapter();
            clients.splice(clients.indexOf(client), 1);
        });

        it("serves a snippet without a file", async () => {
            const client = await entered({ source: "total = 0\nfor i in range(3):\n    total += i\n", mode: "real" });
            const trace = await client.stackTraceRequest({ threadId: 1 });
            const { source, line } = trace.body.stackFrames[0];
            assert.equal(line, 2);
            const text = await client.sourceRequest({ source, sourceReference: source.sourceReference });
            assert.equal(text.body.content.split("\n")[line - 1], "    total = 0");
        });

        it("serves two clients at once, each on its own", async () => {
            const [one, other] = [await entered(), await entered()];
            await move(one, "next");
            assert.equal((await move(other, "next")).line, 11);
            assert.equal((await move(one, "stepIn")).line, 2);
            assert.equal((await move(other, "next")).line, 12);
        });

        it("survives a client that dies in the middle", async () => {
            const dying = await entered();
            dying.continueRequest({ threadId: 1 }).catch(() => {});
            if (transport === "tcp") {
                dying._socket.write('Content-Length: 100\r\n\r\n{"seq"');
                dying._socket.destroy();
            } else {
                const adapter = dying._adapterProcess;
                const ended = new Promise((resolve) => adapter.once("exit", resolve));
                adapter.stdin.end('Content-Length: 100\r\n\r\n{"seq"');
                assert.equal(await ended, 0);
            }
            clients.splice(clients.indexOf(dying), 1);
            const client = await entered();
            assert.equal((await move(client, "next")).line, 11);
        });

        it("refuses what it does not know", async () => {
            const client = await entered();
            await assert.rejects(client.customRequest("nonsense", {}), /no request/);
            await assert.rejects(client.stackTraceRequest({ threadId: 9 }), /no thread 9/);
            assert.equal((await move(client, "next")).line, 11);
        });
    });
}

it("a browser that is sent to the port gets nothing", async () => {
    const { server, port } = await startServer();
    const said = await new Promise((resolve) => {
        const socket = net.connect(port, "127.0.0.1", () => {
            const body = JSON.stringify({ seq: 1, type: "request", command: "initialize", arguments: {} });
            socket.write(`POST / HTTP/1.1\r\nHost: x\r\nContent-Length: ${body.length}\r\n\r\n${body}`);
        });
        let text = "";
        socket.on("data", (data) => { text += data; });
        socket.on("close", () => resolve(text));
    });
    server.kill();
    assert.match(said, /not HTTP/);
    assert.doesNotMatch(said, /supportsStepBack/);
});

// The extension: it starts `opencwm dap` for sessions of type opencwm, and makes sessions from selections and
// calls. All debugging is the server's.

"use strict";

const vscode = require("vscode");
const configurations = require("./configurations");

class Factory {
    createDebugAdapterDescriptor(session) {
        const settings = vscode.workspace.getConfiguration("opencwm");
        const found = configurations.adapter(session.configuration, settings.get("command"));
        return "port" in found
            ? new vscode.DebugAdapterServer(found.port, "127.0.0.1")
            : new vscode.DebugAdapterExecutable(found.command, found.args);
    }
}

class Provider {
    /** F5 without a launch.json: ask which call. */
    async resolveDebugConfiguration(_folder, configuration) {
        if (configuration.type || configuration.request) return configuration;
        const editor = vscode.window.activeTextEditor;
        return editor && editor.document.languageId === "python" ? askForCall(editor) : undefined;
    }
}

/** @returns a configuration, or undefined when the person thought better of it */
async function askForCall(editor) {
    const text = editor.document.getText();
    const call = await vscode.window.showInputBox({
        title: "OpenCWM: which call?",
        prompt: "It is predicted, not run.",
        value: configurations.proposedCall(text, editor.selection.active.line),
    });
    return call ? configurations.ofCall(editor.document.uri.fsPath, call) : undefined;
}

async function debugCall() {
    const editor = vscode.window.activeTextEditor;
    const configuration = editor && (await askForCall(editor));
    if (configuration) await vscode.debug.startDebugging(undefined, configuration);
}

async function debugSelection() {
    const editor = vscode.window.activeTextEditor;
    if (!editor || editor.selection.isEmpty) {
        vscode.window.showInformationMessage("OpenCWM: select some Python first.");
        return;
    }
    const text = wholeLines(editor);
    let call;
    if (configurations.needsCall(text)) {
        call = await vscode.window.showInputBox({
            title: "OpenCWM: which call?",
            value: configurations.proposedCall(text),
        });
        if (!call) return;
    }
    await vscode.debug.startDebugging(undefined, configurations.ofSelection(text, call));
}

/** The selection from the beginning of its first line, so that its indentation is known. */
function wholeLines(editor) {
    const { start, end } = editor.selection;
    return editor.document.getText(new vscode.Range(start.with({ character: 0 }), end));
}

async function selectTimeline() {
    const session = vscode.debug.activeDebugSession;
    if (!session || session.type !== "opencwm") return;
    const evaluate = (expression) => session.customRequest("evaluate", { expression, context: "repl" });
    const all = configurations.timelines((await evaluate(".timelines")).result);
    const items = all.map((item) => (
        { label: `${item.number}: ${item.label}`, description: item.isCurrent ? "current" : "", number: item.number }
    ));
    const chosen = await vscode.window.showQuickPick(items, { title: "OpenCWM: the ways the program may go" });
    if (chosen) await evaluate(`.timeline ${chosen.number}`);
}

function activate(context) {
    context.subscriptions.push(
        vscode.debug.registerDebugAdapterDescriptorFactory("opencwm", new Factory()),
        vscode.debug.registerDebugConfigurationProvider("opencwm", new Provider()),
        vscode.commands.registerCommand("opencwm.debugCall", debugCall),
        vscode.commands.registerCommand("opencwm.debugSelection", debugSelection),
        vscode.commands.registerCommand("opencwm.selectTimeline", selectTimeline),
    );
}

module.exports = { activate };

// What VS Code is told to start, and launch configurations made from what is selected. It knows nothing of VS
// Code itself, so that it can be tested without it.

"use strict";

/**
 * How a debug session is reached: a server that runs already, or a program to start.
 * @param {{port?: number}} configuration of the session
 * @param {string[]} command the setting opencwm.command
 * @returns {{port: number} | {command: string, args: string[]}}
 */
function adapter(configuration, command) {
    if (configuration.port !== undefined) return { port: configuration.port };
    if (!Array.isArray(command) || !command.length || !command.every((word) => typeof word === "string" && word)) {
        throw new Error('the setting opencwm.command must be a list such as ["opencwm"]');
    }
    return { command: command[0], args: [...command.slice(1), "dap"] };
}

/** A session for selected text: bare statements are entered at the first, functions by a call. */
function ofSelection(text, call) {
    return {
        type: "opencwm",
        request: "launch",
        name: "OpenCWM: selection",
        source: text,
        ...(call ? { call } : {}),
        stopOnEntry: true,
    };
}

/** A session for a call of what a file defines. */
function ofCall(program, call, mode = "predicted") {
    return { type: "opencwm", request: "launch", name: `OpenCWM: ${call}`, program, call, mode, stopOnEntry: true };
}

/** Names of the functions that a text defines without indentation, in order. */
function functions(text) {
    return [...text.matchAll(/^(?:async\s+)?def\s+([\p{L}_][\p{L}\p{N}_]*)\s*\(/gmu)].map((match) => match[1]);
}

/** Whether a text is only definitions and imports, so that a call is needed to enter it. */
function needsCall(text) {
    const lines = text.split(/\r?\n/).filter((line) => /\S/.test(line));
    const indent = Math.min(...lines.map((line) => /^\s*/.exec(line)[0].length));
    const outer = lines.map((line) => line.slice(indent)).filter((line) => /^[^\s#)\]}]/.test(line));
    return outer.some((line) => /^(async\s+)?def\s/.test(line))
        && outer.every((line) => /^(async\s+def|def|class|import|from|@)/.test(line));
}

/** What a person is asked when a call is needed: the function under the cursor, or the first. */
function proposedCall(text, line = Infinity) {
    const before = functions(text.split(/\r?\n/).slice(0, line + 1).join("\n"));
    const name = before.at(-1) ?? functions(text)[0];
    return name === undefined ? "" : `${name}()`;
}

/** Lines of the answer to .timelines as numbers and texts. */
function timelines(text) {
    return [...text.matchAll(/^([> ]) (\d+): (.*)$/gm)].map((match) => (
        { number: Number(match[2]), label: match[3], isCurrent: match[1] === ">" }
    ));
}

module.exports = { adapter, functions, needsCall, ofCall, ofSelection, proposedCall, timelines };

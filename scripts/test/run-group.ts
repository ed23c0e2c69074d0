import { spawn } from 'node:child_process'
import { setPriority } from 'node:os'
import { readTap } from './read-tap.ts'

export interface GroupResult {
  passed: number
  failed: number
  seconds: number
  /** What to print, each in full. */
  failures: string[]
}

/** A last resort against a hanging process: tests have time-outs of their own. */
const timeoutMinutes: Record<string, number> = { tidy: 4 }
const timeoutMinutesDefault = 10
/** Virtual time goes on when it can: whoever runs beside it in real time goes first. */
const niceness: Record<string, number> = { sim: 10 }

/** `lane` numbers those that run at the same time: they use different ports. */
export async function runGroup (group: string, files: readonly string[], lane: number): Promise<GroupResult> {
  if (files.length === 0) {
    return { passed: 0, failed: 1, seconds: 0, failures: [`not ok test/${group} holds no file that ends in .test.ts`] }
  }

  const started = performance.now()
  const run = await runTape(files, timeoutMinutes[group] ?? timeoutMinutesDefault, lane, niceness[group] ?? 0)
  const tap = readTap(run.stdout)

  // A process that ends badly may have reported nothing wrong: it counts as one failure more.
  const faults = [...tap.faults]
  if (run.fault !== null && (tap.failed === 0 || run.timedOut)) faults.push(run.fault)
  if (faults.length > 0) faults.push(run.stderr || '(nothing on stderr)')

  return {
    passed: tap.passed,
    failed: tap.failed + (faults.length > 0 ? 1 : 0),
    seconds: (performance.now() - started) / 1000,
    failures: faults.length > 0 ? [...tap.failures, `not ok ${group}: ${faults.join('\n')}`] : tap.failures
  }
}

interface Run {
  stdout: string
  stderr: string
  timedOut: boolean
  fault: string | null
}

async function runTape (files: readonly string[], minutes: number, lane: number, niceness: number): Promise<Run> {
  const args = ['--import', 'tsx', 'node_modules/tape/bin/tape', '--no-only', ...files]
  // In a process group of its own, so that a time-out ends what the tests have started, too.
  const child = spawn(process.execPath, args, { stdio: ['ignore', 'pipe', 'pipe'], detached: true, env: { ...process.env, TEST_LANE: String(lane) } })
  if (niceness > 0 && child.pid !== undefined) setPriority(child.pid, niceness)
  const kill = () => { killGroup(child.pid) }
  const interrupt = () => { kill(); process.exit(130) }
  process.once('SIGINT', interrupt)
  process.once('SIGTERM', interrupt)

  let timedOut = false
  const timer = setTimeout(() => { timedOut = true; kill() }, minutes * 60_000)

  try {
    const stdout = collect(child.stdout)
    const stderr = collect(child.stderr)
    const [code, signal] = await new Promise<[number | null, string | null]>((resolve, reject) => {
      child.on('error', reject)
      child.on('exit', (code, signal) => { resolve([code, signal]) })
    })
    // What the tests have left running would hold the pipes open.
    kill()

    return {
      stdout: await stdout,
      stderr: await stderr,
      timedOut,
      fault: timedOut
        ? `killed after ${minutes} minutes`
        : code === 0 ? null : `the process ended with ${signal ?? `exit code ${code}`}`
    }
  } finally {
    clearTimeout(timer)
    process.off('SIGINT', interrupt)
    process.off('SIGTERM', interrupt)
  }
}

async function collect (stream: NodeJS.ReadableStream): Promise<string> {
  let text = ''
  stream.setEncoding('utf8')
  for await (const chunk of stream) text += chunk as string
  return text
}

function killGroup (pid: number | undefined): void {
  if (pid === undefined) return
  try {
    process.kill(-pid, 'SIGKILL')
  } catch {
    // It has ended.
  }
}

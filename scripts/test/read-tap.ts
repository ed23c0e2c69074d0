export interface Tap {
  passed: number
  failed: number
  /** Each failed assertion with its diagnosis and the name of its test. */
  failures: string[]
  /** What is wrong with the report itself. */
  faults: string[]
}

/**
 * Reads what tape prints. Counts the assertions themselves and compares them with the plan at the end, because a
 * run that stops half-way may well have nothing but `ok` lines.
 */
export function readTap (text: string): Tap {
  const tap: Tap = { passed: 0, failed: 0, failures: [], faults: [] }
  let test = ''
  let plan: number | null = null
  let diagnosis: string[] | null = null

  for (const line of text.split(/\r?\n/)) {
    // The diagnosis of a failure is indented below it.
    if (diagnosis !== null && line.startsWith('  ')) {
      diagnosis.push(line)
      continue
    }
    if (diagnosis !== null) tap.failures.push(diagnosis.join('\n'))
    diagnosis = null

    if (/^ok \d+/.test(line)) {
      tap.passed++
    } else if (/^not ok \d+/.test(line)) {
      tap.failed++
      diagnosis = test === '' ? [line] : [test, line]
    } else if (/^1\.\.\d+$/.test(line)) {
      plan = Number(line.slice(3))
    } else if (line.startsWith('# ')) {
      test = line
    }
  }
  if (diagnosis !== null) tap.failures.push(diagnosis.join('\n'))

  const counted = tap.passed + tap.failed
  if (counted === 0) {
    tap.faults.push('no test ran')
  } else if (plan === null) {
    tap.faults.push(`the run stopped after ${counted} assertions, in "${test.slice(2)}"`)
  } else if (plan !== counted) {
    tap.faults.push(`the plan says ${plan} assertions, ${counted} were reported`)
  }
  return tap
}

/**
 * The name of a database that this tab has for itself as long as it lives, since two nodes must not share one. After a reload it is the
 * same one; the databases of tabs that were closed are taken again by others.
 */
export async function ownDatabase (): Promise<string> {
  const remembered = sessionStorage.getItem('database')
  // After a reload, the browser may need a moment to take the lock from the page before; if another tab has it, it was opened as a copy of this one.
  let name = remembered !== null && await lock(remembered, { signal: AbortSignal.timeout(2000) }) ? remembered : ''
  for (let n = 1; name === ''; n++) {
    if (await lock(`tab ${n}`, { ifAvailable: true })) name = `tab ${n}`
  }
  sessionStorage.setItem('database', name)
  return name
}

/** Resolves with whether the tab has it, which then lasts. */
async function lock (name: string, options: LockOptions): Promise<boolean> {
  return await new Promise((resolve) => {
    navigator.locks.request(name, options, async (lock) => {
      resolve(lock !== null)
      if (lock !== null) await new Promise(() => {})
    }).catch(() => { resolve(false) })
  })
}

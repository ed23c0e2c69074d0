const tabs = new Map<string, MessagePort>()

addEventListener('connect', (event) => {
  const [tab] = (event as MessageEvent).ports
  if (tab === undefined) return
  tab.onmessage = ({ data, ports: [port] }) => {
    const other = tabs.get(data.to)
    if (data.is !== undefined) tabs.set(data.is, tab)
    else if (port !== undefined && other !== undefined) other.postMessage('connect', [port])
    else port?.close()
  }
})

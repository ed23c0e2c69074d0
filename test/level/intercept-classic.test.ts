import { makeClassicLevel, runSuite, classicTestsMin } from './suite.ts'
import { wrapWithDelayingGate } from './delayed.ts'

runSuite(makeClassicLevel, wrapWithDelayingGate({}), classicTestsMin)

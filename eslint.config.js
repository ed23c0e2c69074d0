import neostandard from 'neostandard'

export default [
  ...neostandard({ ts: true, ignores: neostandard.resolveIgnoresFromGitignore() }),
  {
    rules: {
      // A function and an interface share the name `Replicator`; the compiler knows real redeclarations.
      '@typescript-eslint/no-redeclare': 'off',
      // `void promise` says that nobody waits for it, on purpose.
      'no-void': ['error', { allowAsStatement: true }]
    }
  }
]

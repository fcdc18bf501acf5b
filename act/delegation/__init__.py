"""ADD, the Authorization & Delegation Domain: what a principal allows, in which words, how much of it is left."""

"""Gates that people drew: Gating-ML 2.0 and FlowJo 10 workspaces in and out, and their replay."""

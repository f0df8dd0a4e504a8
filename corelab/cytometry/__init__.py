"""Events to counted populations: compensation, markers, fitted gates, quality."""

"""Pages: text and address in, products or a PageError out. No network, no Scrapy."""
